# SPDX-License-Identifier: Apache-2.0
"""What is compared: three samplers, plain eager, and one read of the same memory.

Needs torch, and of vLLM only ``vllm/v1/sample/`` of the trees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.release import MERGED, described
from tools.fork.sampler import stand_ins
from tools.fork.source.tree import trees

OP = "batched_count_greater_than"
LEVELS = ("op", "gather_logprobs", "forward")
NUM_LOGPROBS = 5
LOGS = ROOT / "build/report"  # for what the processes print


@dataclass(frozen=True)
class Variant:
    """Where a sampler comes from.

    Attributes:
        release: The release of its tree; the pinned one if None.
        fork: Whether the tree has our change.
        op: What stands in for OP, not compiled; the tree's own if None.
    """

    release: str | None = None
    fork: bool = False
    op: Callable[[Any, Any], Any] | None = None


VARIANTS = {
    "stock": Variant(),
    "merged": Variant(release=MERGED),
    "fork": Variant(fork=True),
    "eager": Variant(op=lambda x, values: (x >= values).sum(-1)),
    "limit": Variant(op=lambda x, _: x.sum(-1)),
}
# Those that compile; and those that the trainer and the server run.
COMPILED = tuple(name for name, it in VARIANTS.items() if not it.op)
SERVED = tuple(name for name in COMPILED if not VARIANTS[name].release)


def folder(name: str) -> Path:
    """Return the tree of a variant.

    Raises:
        ForkError: It was not made.
    """
    variant = VARIANTS[name]
    made = trees(described(variant.release))
    return existing(made.fork if variant.fork else made.stock)


def existing(path: Path) -> Path:
    """Return a path that `make bench` makes.

    Raises:
        ForkError: It is not there.
    """
    if not path.exists():
        raise ForkError(f"{path} is missing; run `make bench QUICK=1` first.")
    return path


def width(vocabulary: int, rows: str) -> int:
    """Return how wide the tensor is that rows are cut from.

    Args:
        vocabulary: The number of columns.
        rows: ``own`` for a tensor of their own; ``padded`` for the wider one of a model
            whose vocabulary vLLM has padded.
    """
    return vocabulary if rows == "own" else (vocabulary // 64 + 1) * 64


def load(name: str, device: str) -> stand_ins.Modules:
    """Load the sampler of a variant for ``cpu`` or ``cuda``."""
    modules = stand_ins.load(folder(name), device)
    if op := VARIANTS[name].op:
        setattr(modules.sampler, OP, op)
    return modules


def calls(
    modules: stand_ins.Modules, sampler: Any, level: str, logits: Any
) -> Callable[[], Any]:
    """Return what calls one of LEVELS on logits, shape (batch, vocabulary).

    The logits stay as they are; the sampler is one that ``modules`` constructed.
    """
    token_ids = logits[:, :1].argmax(-1)
    # A slice is another tensor object, without the marks of an earlier call.
    if level == "forward":
        metadata = _metadata(logits)
        return lambda: sampler(logits[:], metadata)

    def gather() -> Any:
        return sampler.gather_logprobs(logits[:], NUM_LOGPROBS, token_ids)

    if level == "gather_logprobs":
        return gather
    op = getattr(modules.sampler, OP)
    seen: list[Any] = []

    # The arguments as the sampler passes them, with its marks.
    def spy(*arguments: Any) -> Any:
        seen[:] = arguments
        return op(*arguments)

    setattr(modules.sampler, OP, spy)
    gather()
    setattr(modules.sampler, OP, op)
    return lambda: op(*seen)


def _metadata(logits: Any) -> Any:
    """Return what random sampling at temperature 1 reads of a SamplingMetadata."""
    return SimpleNamespace(
        temperature=logits.new_ones(logits.shape[0], dtype=logits.float().dtype),
        all_greedy=False,
        all_random=True,
        top_p=None,
        top_k=None,
        generators={},
        max_num_logprobs=NUM_LOGPROBS,
        logprob_token_ids=None,
        no_penalties=True,
        output_token_ids=[],
        allowed_token_ids_mask=None,
        bad_words_token_ids={},
        logitsprocs=SimpleNamespace(argmax_invariant=(), non_argmax_invariant=()),
    )
