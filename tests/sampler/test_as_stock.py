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


def traced(tree: Path) -> list[Any]:
    """Gather within a larger graph; from 0.20.0 on upstream's own marks forbid that."""
    gather = stand_ins.load(tree).sampler.Sampler.gather_logprobs
    whole = torch.compile(gather, fullgraph=True)
    try:
        return [bits(whole(it, 2, it.argmin(-1))) for it in map(logits, BATCHES)]
    except Exception as error:
        return [type(error)]


def test_gathering_can_be_part_of_a_larger_graph_where_stocks_can() -> None:
    assert traced(MADE.fork) == traced(MADE.stock)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", CASES)
def test_extreme_values_are_counted_as_stock_and_plain_python_count(
    case: str, dtype: torch.dtype
) -> None:
    rows, values = CASES[case]
    x, column = torch.tensor(rows, dtype=dtype), torch.tensor(values, dtype=dtype)

    fork, stock = (
        stand_ins.load(it).sampler.batched_count_greater_than(x, column[:, None])
        for it in (MADE.fork, MADE.stock)
    )

    assert bits([fork]) == bits([stock])
    assert fork.tolist() == [
        sum(entry >= value for entry in row)
        for row, value in zip(rows, values, strict=True)
    ]
