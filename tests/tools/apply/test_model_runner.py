# SPDX-License-Identifier: Apache-2.0
"""Who runs the sampler that we change, by release."""

from tools.fork.apply.model_runner import on_v1


def test_models_on_v1() -> None:
    for version, said in {
        "0.21.0rc1": "all models",
        "0.22.1+cpu": "Llama",
        "0.28.0": "mixtures of experts and hybrids",
        "0.29.0": "fall back",
        "1.0": "fall back",
    }.items():
        assert said in on_v1(version)
