# SPDX-License-Identifier: Apache-2.0
"""What is compared: three samplers, plain eager, and one read of the same memory.

Needs torch, and of vLLM only ``vllm/v1/sample/`` of the trees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.summary import OP
from tools.fork import ForkError
from tools.fork.release import MERGED, described
from tools.fork.sampler import stand_ins
from tools.fork.sampler.observe import construct
from tools.fork.source.tree import trees

COMPILED = ("stock", "merged", "fork")
VARIANTS = (*COMPILED, "eager", "limit")
# That release with upstream's own version alone, and with our change on top.
OF_MERGED = ("merged", "follow-up")
LEVELS = ("op", "gather_logprobs", "forward")
NUM_LOGPROBS = 5
# Whether rows are a tensor of their own, or cut from the wider one of a model whose
# vocabulary vLLM has padded.
ROWS = ("own", "padded")


def folder(name: str) -> Path:
    """Return the tree of a variant; eager and the limit are stock with another op.

    Raises:
        ForkError: It was not made.
    """
    made = trees(described(MERGED if name in OF_MERGED else None))
    return built(made.fork if name in ("fork", "follow-up") else made.stock, name)


def built(path: Path, name: str) -> Path:
    """Return a path that building a variant makes.

    Raises:
        ForkError: It is not there.
    """
    if not path.exists():
        release = f" RELEASE={MERGED}" if name in OF_MERGED else ""
        raise ForkError(f"{path} is missing; run `make build{release}` first.")
    return path


def width(vocabulary: int, rows: str) -> int:
    """Return how wide the tensor is that rows are cut from."""
    return vocabulary if rows == "own" else (vocabulary // 64 + 1) * 64


@dataclass(frozen=True)
class Variant:
    """One tree's sampling, ready to be called.

    Attributes:
        modules: What was loaded from the tree.
    """

    modules: stand_ins.Modules

    @classmethod
    def load(cls, name: str, device: str) -> "Variant":
        """Load a variant of VARIANTS for ``cpu`` or ``cuda``."""
        loaded = stand_ins.load(folder(name), device)
        if name == "eager":
            setattr(loaded.sampler, OP, lambda x, values: (x >= values).sum(-1))
        elif name == "limit":
            setattr(loaded.sampler, OP, lambda x, values: x.sum(-1))
        return cls(loaded)

    def sampler(self, vocabulary: int, logprobs_mode: str = "raw_logprobs") -> Any:
        """Construct a ``Sampler`` as the worker of a model does."""
        return construct(self.modules, vocabulary, logprobs_mode)

    def calls(self, sampler: Any, level: str, logits: Any) -> Callable[[], Any]:
        """Return what calls one level on logits.

        Args:
            sampler: One that this variant has constructed.
            level: One of LEVELS.
            logits: Shape (batch, vocabulary); left as they are.
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
        op = getattr(self.modules.sampler, OP)
        seen: list[Any] = []

        # The arguments as the sampler passes them, with its marks.
        def spy(*arguments: Any) -> Any:
            seen[:] = arguments
            return op(*arguments)

        setattr(self.modules.sampler, OP, spy)
        gather()
        setattr(self.modules.sampler, OP, op)
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
