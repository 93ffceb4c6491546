# SPDX-License-Identifier: Apache-2.0
"""A rollout as a trainer runs it, through the real engine, on stock and on the fork."""

from typing import Any

import pytest

from tools.fork.engine import demo, generate
from tools.fork.engine.rollout import GROUPS

# vLLM pads a vocabulary to a multiple of 64: not Qwen's of 151936, but GPT-2's.
GPT2 = {"vocabulary": 50257, "dtype": "bfloat16", "logprobs_mode": "raw_logits"}
SETUPS = {"a vocabulary as it is": generate.QWEN, "a padded one": GPT2}
WHOLE = [*GROUPS.values(), *demo.GROUPS]


@pytest.fixture(scope="module", params=SETUPS)
def runs(request: Any, engine: Any) -> Any:
    models = [(SETUPS[request.param], WHOLE)]
    return {variant: engine(variant, models)[0] for variant in ("stock", "fork")}


def test_the_fork_compiles_nothing_while_requests_wait(runs: Any) -> None:
    assert list(generate.of_sampling(runs["fork"]["groups"])) == []
    ahead = {it["function"] for it in generate.of_sampling([runs["fork"]["loaded"]])}
    assert "batched_count_greater_than" in ahead


def test_stock_compiles_while_requests_wait(runs: Any) -> None:
    waited = {it["function"] for it in generate.of_sampling(runs["stock"]["groups"])}

    assert "batched_count_greater_than" in waited


def test_the_fork_gives_what_stock_gives(runs: Any) -> None:
    fork, stock = (
        [group["outputs"] for group in runs[it]["groups"]] for it in ("fork", "stock")
    )

    assert fork == stock


@pytest.mark.parametrize("group", GROUPS)
def test_every_request_gets_its_tokens_and_their_ranks(runs: Any, group: str) -> None:
    batch = runs["fork"]["groups"][list(GROUPS).index(group)]
    for request, output in zip(GROUPS[group], batch["outputs"], strict=True):
        ((tokens, logprobs),) = output["samples"]
        assert len(tokens) == request["max_tokens"]
        for token, position in zip(tokens, logprobs, strict=True):
            rank, logprob = position[str(token)]
            assert rank >= 1
            # Raw logits are asked for as logprobs, too.
            assert float.fromhex(logprob) < float("inf")
        asked = request.get("prompt_logprobs")
        assert bool(output["prompt_logprobs"]) == (asked is not None)
