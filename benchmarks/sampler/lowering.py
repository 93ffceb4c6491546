# SPDX-License-Identifier: Apache-2.0
"""Print what Inductor generates for an H200 from Sampler.gather_logprobs, as JSON.

No GPU is needed. Dynamo traces on CPU tensors; our backend moves its example inputs to
a fake ``cuda:0`` and hands the graph to Inductor, which lowers it as far as the Triton
source. There compilation is broken off, and the graph runs eagerly on the CPU: guards
and recompilations are the real ones.

It needs torch, triton, and what a tree's sampler imports: numpy and packaging.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch._dynamo.device_interface import CudaInterface
from torch._guards import TracingContext
from torch._inductor.compile_fx import compile_fx
from torch._inductor.graph import GraphLowering
from torch.utils._triton import has_triton
from triton.backends.compiler import GPUTarget
from triton.runtime.driver import driver

from tools.fork.sampler import stand_ins

VOCABULARY = 151936
BATCHES = (1, 8)
H200 = SimpleNamespace(
    name="NVIDIA H200",
    major=9,
    minor=0,
    multi_processor_count=132,
    warp_size=32,
    max_threads_per_multi_processor=2048,
    max_threads_per_block=1024,
    regs_per_multiprocessor=65536,
    shared_memory_per_block=48 * 1024,
    shared_memory_per_block_optin=227 * 1024,
    shared_memory_per_multiprocessor=228 * 1024,
    total_memory=141 * 10**9,
    L2_cache_size=50 * 2**20,
    gcnArchName="",
)


class _Generated(Exception):
    """Breaks compilation off once the source is there."""


def generate(tree: Path) -> Iterator[tuple[int, str]]:
    """Yield the batch that each graph was traced at, and the source made of it."""
    torch._dynamo.reset()
    sources: list[str] = []

    def backend(
        graph: torch.fx.GraphModule, inputs: Sequence[Any]
    ) -> Callable[..., Any]:
        eager: Callable[..., Any] = graph.forward
        sources.append(_lower(graph, inputs))
        return eager

    # The tree's own decorator decides on the rest, such as dynamic=True.
    def compile_(*args: Any, **options: Any) -> Any:
        return torch_compile(*args, **{**options, "backend": backend})

    torch_compile = torch.compile
    with patch.object(torch, "compile", compile_):
        sampler = stand_ins.load(tree).sampler.Sampler
    for batch in BATCHES:
        logprobs = torch.arange(batch * VOCABULARY, dtype=torch.float32)
        tokens = torch.zeros(batch, dtype=torch.int64)
        sampler.gather_logprobs(logprobs.view(batch, VOCABULARY), 1, tokens)
        yield from ((batch, source) for source in sources)
        sources.clear()


def _lower(graph: torch.fx.GraphModule, inputs: Sequence[Any]) -> str:
    sources: list[str] = []

    def stop(lowering: GraphLowering) -> None:
        sources.append(lowering.codegen()[0].value)
        raise _Generated

    with (
        _pretended_h200(),
        patch.object(GraphLowering, "compile_to_module", stop),
        # A source that is cached on disk would not be generated.
        torch._inductor.config.patch(fx_graph_cache=False),
    ):
        placeholders = graph.graph.find_nodes(op="placeholder")
        try:
            compile_fx(graph, [*map(_on_gpu, placeholders, inputs)])
        except Exception:  # Inductor wraps ours in one of its own
            if not sources:
                raise
    return sources[0]


def _on_gpu(placeholder: torch.fx.Node, value: Any) -> Any:
    """Return the example of a graph's input, on a fake GPU if it is a tensor."""
    if not isinstance(value, torch.Tensor):
        return placeholder.meta["example_value"]
    # Made fake anew, as AOTAutograd does: this is what carries the hint of an unbacked
    # batch over to the symbol that the equality check has since put in its place.
    tracing = TracingContext.get()
    assert tracing.fake_mode is not None
    context: Any = tracing.tensor_to_context[value]
    fake = tracing.fake_mode.from_tensor(
        value, symbolic_context=context, source=context.tensor_source
    )
    with tracing.fake_mode:
        size, stride = fake.size(), fake.stride()
        return torch.empty_strided(size, stride, dtype=fake.dtype, device="cuda:0")


@contextlib.contextmanager
def _pretended_h200() -> Iterator[None]:
    """Answer whatever would ask the driver for a real GPU."""
    # Triton: what to generate for.
    target = GPUTarget("cuda", 10 * H200.major + H200.minor, H200.warp_size)
    driver.set_active(SimpleNamespace(get_current_target=lambda: target))
    answers: dict[str, Callable[..., Any]] = {
        # Inductor: whether there is a GPU with Triton, and how large it is.
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_properties": lambda device=None: H200,
        # What guards compilation: it switches devices and saves the random state.
        "_exchange_device": lambda device: 0,
        "_maybe_exchange_device": lambda device: 0,
        "get_rng_state": lambda device=None: torch.get_rng_state(),
    }
    with contextlib.ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(patch.object(torch.cuda, name, answer))
            # Inductor asks through this class, which holds some of them itself.
            if name in vars(CudaInterface):
                own = patch.object(CudaInterface, name, staticmethod(answer))
                stack.enter_context(own)
        # Both make a context: fake tensors for a real device to be the default, ...
        init = patch("torch._subclasses.fake_tensor.init_gpu_context", lambda _: None)
        stack.enter_context(init)
        # ... and the patterns of attention and matmul, of which there are none here.
        patterns = "torch._inductor.fx_passes.joint_graph.lazy_init"
        stack.enter_context(patch(patterns, lambda *_: None))
        # Dynamo has asked, before all this, and keeps the answer.
        has_triton.cache_clear()
        yield


if __name__ == "__main__":
    trees = (it.partition("=") for it in sys.argv[1:])
    json.dump({name: [*generate(Path(tree))] for name, _, tree in trees}, sys.stdout)
