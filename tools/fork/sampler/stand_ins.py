# SPDX-License-Identifier: Apache-2.0
"""Load the sampler of a source tree where torch is all that is installed.

Only the tree's ``vllm/v1/sample/`` is real. Whatever else it imports of vLLM is a
stand-in, so that trees of several releases can be loaded into one process, and on a
machine that has no vLLM.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

_REAL = "vllm.v1.sample"
# What sampling returns; Dynamo can trace them, as it can vLLM's own.
_RESULTS = (
    namedtuple(
        "LogprobsTensors", ("logprob_token_ids", "logprobs", "selected_token_ranks")
    ),
    namedtuple("SamplerOutput", ("sampled_token_ids", "logprobs_tensors")),
)


@dataclass(frozen=True)
class Modules:
    """What constructs and calls the sampler of one tree."""

    sampler: ModuleType  # logprobs are a plain tuple: token ids, logprobs, ranks
    config: ModuleType  # the stand-in for vllm.config, which knows of a current config


def load(tree: Path, device: str = "cpu") -> Modules:
    """Load the sampler of a tree, of which ``vllm/v1/sample/`` is enough.

    ``device`` is the platform to pretend: ``cpu`` or ``cuda``.
    """
    with stand_in(tree, device):
        modules = f"{_REAL}.sampler", "vllm.config"
        return Modules(*map(importlib.import_module, modules))


@contextmanager
def stand_in(tree: Path, device: str = "cpu") -> Iterator[None]:
    """Let ``import vllm`` find the sampler of a tree, and stand-ins for the rest."""
    before = {name: it for name, it in sys.modules.items() if _is_vllm(name)}
    for name in before:
        del sys.modules[name]
    finder = _Finder(tree, device)
    sys.meta_path.insert(0, finder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _is_vllm(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _is_vllm(name: str) -> bool:
    return name == "vllm" or name.startswith("vllm.")


class _StandIn:
    """Anything that a module may ask of another while it is imported; it is false."""

    def __bool__(self) -> bool:
        return False

    def __call__(self, *_: Any, **__: Any) -> "_StandIn":
        return self

    def __getattr__(self, name: str) -> "_StandIn":
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    __getitem__ = __or__ = __ror__ = __enter__ = __call__

    def __mro_entries__(self, _: Any) -> tuple[type, ...]:
        return ()

    def __exit__(self, *_: Any) -> None: ...


class _StandInModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _StandIn()


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the tree's sampling modules, and a stand-in for the rest of vLLM."""

    def __init__(self, tree: Path, device: str) -> None:
        self.tree = tree
        self.device = device

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not _is_vllm(name):
            return None
        if name == _REAL or name.startswith(f"{_REAL}."):
            folder = self.tree.joinpath(*name.split(".")[:-1])
            return importlib.machinery.PathFinder.find_spec(name, [str(folder)])
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _StandInModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        known: dict[str, dict[str, Any]] = {
            "vllm.config": _current_config(),
            "vllm.platforms": {"current_platform": _platform(self.device)},
            # torch takes no stand-in for whether memory is pinned.
            "vllm.utils.platform_utils": {"is_pin_memory_available": lambda: False},
            "vllm.utils.torch_utils": {"PIN_MEMORY": False},
            "vllm.v1.outputs": {it.__name__: it for it in _RESULTS},
        }
        module.__dict__.update(known.get(module.__name__, {}))


def _current_config() -> dict[str, Callable[..., Any]]:
    """Return what sets a current config for a while, and what reads it."""
    current: list[Any] = [None]

    @contextmanager
    def set_current_vllm_config(config: Any) -> Iterator[None]:
        current.append(config)
        yield
        current.pop()

    return {
        "set_current_vllm_config": set_current_vllm_config,
        "get_current_vllm_config_or_none": lambda: current[-1],
        # Releases before 0.14.0 have this: a config without a model if there is none.
        "get_current_vllm_config": lambda: (
            current[-1] or SimpleNamespace(model_config=None)
        ),
    }


def _platform(device: str) -> SimpleNamespace:
    no = {f"is_{it}": lambda: False for it in ("rocm", "xpu", "tpu", "out_of_tree")}
    return SimpleNamespace(
        device_type=device,
        simple_compile_backend="inductor",
        is_cpu=lambda: device == "cpu",
        is_cuda=lambda: device == "cuda",
        is_cuda_alike=lambda: device == "cuda",
        get_cpu_architecture=lambda: None,
        get_device_capability=lambda: None,
        **no,
    )
