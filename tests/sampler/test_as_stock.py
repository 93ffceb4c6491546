# SPDX-License-Identifier: Apache-2.0
"""The samplers of stock and of the fork, side by side: the same bits come out."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from rows import CASES, LAYOUTS, MODES, VOCABULARY, logits, metadata
from tools.fork.release import described
from tools.fork.sampler import stand_ins
from tools.fork.sampler.observe import construct
from tools.fork.source.tree import trees

MADE = trees(described(os.environ.get("FORK_RELEASE")))
BATCHES = (1, 2, 8, 1)


def bits(tensors: Any) -> list[Any]:
    return [(it.dtype, it.shape, it.numpy().tobytes()) for it in tensors]


def drawn(tree: Path, mode: str, layout: str) -> list[Any]:
    """Draw at random from seeded batches; tokens, logprobs and ranks, all as bits."""
    sampler = construct(stand_ins.load(tree), VOCABULARY, mode)
    torch.manual_seed(0)
    outputs = [sampler(logits(it, layout), metadata(it)) for it in BATCHES]
    return [bits([it.sampled_token_ids, *it.logprobs_tensors]) for it in outputs]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_drawn(mode: str, layout: str) -> None:
    fork, stock = (drawn(it, mode, layout) for it in (MADE.fork, MADE.stock))

    assert fork == stock


def gathered(tree: Path) -> dict[str, Any]:
    """Gather from extreme rows the logprobs of their first and their last token."""
    gather = stand_ins.load(tree).sampler.Sampler.gather_logprobs
    found = {}
    for name, (values, _) in CASES.items():
        rows = torch.tensor(values)
        for at in (0, rows.size(1) - 1):
            tokens = torch.full((len(rows),), at)
            found[f"{name}, token {at}"] = bits(gather(rows, 1, tokens))
    return found


def test_what_is_gathered_from_extreme_rows() -> None:
    assert gathered(MADE.fork) == gathered(MADE.stock)
