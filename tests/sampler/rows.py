# SPDX-License-Identifier: Apache-2.0
"""Rows to sample from, and what else sampling is told."""

from types import SimpleNamespace
from typing import Any

import torch

INF, NAN = float("inf"), float("nan")
# Inductor generates other code for a vocabulary above 4096.
VOCABULARY = 5003
# name: (rows, one value per row)
CASES = {
    "ties with the value": ([[2.0, 2.0, 1.0, 2.0]], [2.0]),
    "masked tokens": ([[-INF, -1.0, -INF, -2.0]], [-2.0]),
    "the masked token itself": ([[-INF, -1.0, -INF, -2.0]], [-INF]),
    "NaN in the row": ([[NAN, 1.0, 2.0, NAN]], [1.0]),
    "NaN as the value": ([[1.0, 2.0]], [NAN]),
    "one column": ([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0]),
    "many rows": (
        [[float((row * column) % 11) for column in range(40)] for row in range(33)],
        [float(row % 12) for row in range(33)],
    ),
}
# What a model's logits are where its vocabulary is padded: rows of a wider tensor, or,
# if they were cast, rows of their own, but a single row keeps the wider one's stride.
LAYOUTS = {
    "own": lambda rows, wider: rows,
    "of a wider tensor": lambda rows, wider: wider,
    "cast": lambda rows, wider: wider.double().to(rows.dtype),
}
MODES = ("raw_logprobs", "raw_logits", "processed_logprobs", "processed_logits")


def logits(batch: int, layout: str = "own", dtype: torch.dtype = torch.float32) -> Any:
    """Return logits with ties, of shape (batch, VOCABULARY)."""
    draw = torch.Generator().manual_seed(batch)
    wider = torch.randn(batch, VOCABULARY + 13, generator=draw).mul(4).round().to(dtype)
    rows = wider[:, :VOCABULARY]
    return LAYOUTS[layout](rows.contiguous(), rows)


def metadata(batch: int, top_p: float | None = None) -> Any:
    """Return what drawing at random reads of a SamplingMetadata."""
    return SimpleNamespace(
        temperature=torch.full((batch,), 0.7),
        all_greedy=False,
        all_random=True,
        top_p=None if top_p is None else torch.full((batch,), top_p),
        top_k=None,
        generators={},
        max_num_logprobs=2,
        logprob_token_ids=None,
        no_penalties=True,
        output_token_ids=[],
        allowed_token_ids_mask=None,
        bad_words_token_ids={},
        logitsprocs=SimpleNamespace(argmax_invariant=(), non_argmax_invariant=()),
    )
