# SPDX-License-Identifier: Apache-2.0
"""Tell which models a release runs, on a GPU, with the sampler that we change.

Model Runner V1 has that sampler; V2 counts ranks with a kernel of its own. From some
release on vLLM's config decides by the model. The method that does is run here, out of
its source, for models as people have them.
"""

import ast
import functools
import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

from tools.fork.sampler import stand_ins
from tools.fork.source.overlay import on_disk

SOURCES = ("vllm/envs.py", "vllm/config/vllm.py")
_DECIDES = "use_v2_model_runner"
# Asks of all other settings, none of which is set here.
_LACKS = "_get_v2_model_runner_unsupported_features"
_Part = ast.FunctionDef | ast.Assign


class _Unset(SimpleNamespace):
    """A config in which all that is not given is None."""

    def __getattr__(self, _: str) -> None:
        return None


def _model(architecture: str, **kind: bool) -> _Unset:
    return _Unset(runner_type="generate", architectures=[architecture], **kind)


MODELS = {
    "Llama": _model("LlamaForCausalLM"),
    "Qwen3": _model("Qwen3ForCausalLM"),
    "mixtures of experts": _model("Qwen3MoeForCausalLM", is_moe=True),
    "hybrids": _model("Qwen3NextForCausalLM", is_moe=True, is_hybrid=True),
}


def run_by_v1(tree: Path) -> str:
    """Say which of MODELS a release runs with Model Runner V1 unless told otherwise.

    Args:
        tree: The release's source tree, or a folder with its SOURCES.
    """
    envs, config = (ast.parse(on_disk(tree, name) or b"") for name in SOURCES)
    parts = _parts(config)
    if _DECIDES not in parts:
        return "none" if _default(envs) else "all"
    names = [it for it in MODELS if not _uses_v2(tree, parts, MODELS[it])]
    return "all" if len(names) == len(MODELS) else ", ".join(names) or "none"


def _default(envs: ast.Module) -> Any:
    """Return what the variable is if it is not set; None where there is none yet."""
    name = f"VLLM_{_DECIDES.upper()}"
    for node in ast.walk(envs):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
            return ast.literal_eval(node.value or ast.Constant(None))
    return None


def _parts(config: ast.Module) -> dict[str, _Part]:
    """Return, by name, functions and methods, and what is assigned in the module."""
    assigned = (it for it in config.body if isinstance(it, ast.Assign))
    functions = (it for it in ast.walk(config) if isinstance(it, ast.FunctionDef))
    parts: dict[str, _Part] = {ast.unparse(it.targets[0]): it for it in assigned}
    return {**parts, **{it.name: it for it in functions}}


def _uses_v2(tree: Path, parts: dict[str, _Part], model: _Unset) -> bool:
    """Run the method that decides, and what it refers to, for one model."""
    with stand_ins.stand_in(tree, "cuda"):
        platforms = importlib.import_module("vllm.platforms")
        there: dict[str, Any] = {
            "HAS_TRITON": True,
            "current_platform": platforms.current_platform,
            "envs": _Unset(),
            "logger": Mock(),
            "lru_cache": functools.lru_cache,
        }
        wanted = [_DECIDES]
        for name in wanted:
            inside = [*ast.walk(parts[name])]
            mentioned = {it.id for it in inside if isinstance(it, ast.Name)}
            mentioned |= {it.attr for it in inside if isinstance(it, ast.Attribute)}
            wanted += sorted(mentioned & {*parts} - {*wanted, *there, _LACKS})
        source = ast.Module([parts[name] for name in reversed(wanted)], [])
        exec(compile(source, SOURCES[1], "exec"), there)
        config = type("Config", (_Unset,), {name: there[name] for name in wanted})(
            attention_config=_Unset(),
            model_config=model,
            parallel_config=_Unset(prefill_context_parallel_size=1),
            **{_LACKS: list},
        )
        return bool(getattr(config, _DECIDES))
