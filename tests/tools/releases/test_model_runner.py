# SPDX-License-Identifier: Apache-2.0
"""Which models a release runs with Model Runner V1 is read from its source."""

from pathlib import Path

import pytest

from tools.fork.releases import model_runner

DECIDES = """
logger = init_logger(__name__)
ARCHITECTURES = frozenset({names})


class VllmConfig(Unknown):
    compilation: Unknown = Field()

    @property
    def use_v2_model_runner(self) -> bool:
        if envs.VLLM_USE_V2_MODEL_RUNNER is not None:
            return envs.VLLM_USE_V2_MODEL_RUNNER
        if self.speculative_config is not None or not HAS_TRITON:
            logger.warning("no")
            return False
        return self._is_default() and not (
            self._get_v2_model_runner_unsupported_features()
        )

    def _is_default(self):
        from vllm.platforms import current_platform

        return not current_platform.is_rocm() and (
            self.model_config.architectures[0] in ARCHITECTURES
        )

    def _get_v2_model_runner_unsupported_features(self):
        raise AssertionError
"""
DENSE = ("LlamaForCausalLM", "Qwen3ForCausalLM")
ALL = (*DENSE, "Qwen3MoeForCausalLM", "Qwen3NextForCausalLM")


@pytest.mark.parametrize(
    ("envs", "config", "said"),
    [
        ("", "", "all"),
        ("VLLM_USE_V2_MODEL_RUNNER: bool = False", "", "all"),
        ("VLLM_USE_V2_MODEL_RUNNER: bool = True", "", "none"),
        ("", DECIDES.format(names=()), "all"),
        ("", DECIDES.format(names=DENSE), "mixtures of experts, hybrids"),
        ("", DECIDES.format(names=ALL), "none"),
    ],
)
def test_what_v1_runs(envs: str, config: str, said: str, tmp_path: Path) -> None:
    for name, text in zip(model_runner.SOURCES, (envs, config), strict=True):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert model_runner.run_by_v1(tmp_path) == said
