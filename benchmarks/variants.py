# SPDX-License-Identifier: Apache-2.0
"""What is compared: the samplers of three trees, and how they are called.

Needs torch, and of vLLM only ``vllm/v1/sample/`` of the trees.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.release import MERGED, described
from tools.fork.sampler.stand_ins import Modules
from tools.fork.source.tree import trees

OP = "batched_count_greater_than"
VARIANTS = ("stock", "merged", "fork")
SERVED = ("stock", "fork")  # by the trainer and the server
LOGS = ROOT / "build/report"  # for what the processes print
_NUM_LOGPROBS = 5


def folder(variant: str) -> Path:
    """Return the tree of a variant; merged is a later release's stock."""
    made = trees(described(MERGED if variant == "merged" else None))
    return existing(made.fork if variant == "fork" else made.stock)


def existing(path: Path) -> Path:
    """Return a path that `make bench` makes."""
    if not path.exists():
        raise ForkError(f"{path} is missing; run `make bench QUICK=1` first.")
    return path


def draw(batch: int, vocabulary: int, rows: str, device: str) -> Any:
    """Return logits, whose rows are cut from wider ones if ``padded``, else ``own``."""
    import torch

    width = vocabulary if rows == "own" else (vocabulary // 64 + 1) * 64
    return torch.randn(batch, width, device=device)[:, :vocabulary]


def calls(modules: Modules, sampler: Any, level: str, logits: Any) -> Callable[[], Any]:
    """Return what calls a sampler on logits, shape (batch, vocabulary), which stay.

    The level is ``forward``, ``gather_logprobs``, or ``op`` for OP alone.
    """
    token_ids = logits[:, :1].argmax(-1)
    # A slice is another tensor object, without the marks of an earlier call.
    if level == "forward":
        metadata = _metadata(logits)
        return lambda: sampler(logits[:], metadata)

    def gather() -> Any:
        return sampler.gather_logprobs(logits[:], _NUM_LOGPROBS, token_ids)

    if level == "gather_logprobs":
        return gather
    op = getattr(modules.sampler, OP)
    # The arguments as the sampler passes them, with its marks.
    with mock.patch.object(modules.sampler, OP, wraps=op) as spy:
        gather()
    arguments = spy.call_args.args
    return lambda: op(*arguments)


def _metadata(logits: Any) -> Any:
    """Return what random sampling at temperature 1 reads of a SamplingMetadata."""
    return SimpleNamespace(
        temperature=logits.new_ones(logits.shape[0]),
        all_greedy=False,
        all_random=True,
        top_p=None,
        top_k=None,
        generators={},
        max_num_logprobs=_NUM_LOGPROBS,
        logprob_token_ids=None,
        no_penalties=True,
        output_token_ids=[],
        allowed_token_ids_mask=None,
        bad_words_token_ids={},
        logitsprocs=SimpleNamespace(argmax_invariant=(), non_argmax_invariant=()),
    )
