# SPDX-License-Identifier: Apache-2.0
"""A rollout as a trainer runs it, through the real engine, on stock and on the fork."""

from typing import Any

import pytest

from tools.fork.engine import demo, generate

REQUEST = {"logprobs": 0, "ignore_eos": True, "temperature": 1.0}
# A group of samples that end one by one, so that the batch shrinks from 8 to 1.
GROUP = [{**REQUEST, "max_tokens": length} for length in range(1, 9)]
SEEDED = [{**it, "seed": place} for place, it in enumerate(GROUP)]
GREEDY = [{**it, "temperature": 0.0} for it in GROUP]
GROUPS: dict[str, list[dict[str, Any]]] = {
    "the first request": [{**REQUEST, "max_tokens": 2}],
    "a group": GROUP,
    "the next group": GROUP,
    "all seeded": SEEDED,
    "all greedy": GREEDY,
    "greedy and random": [*GREEDY[:4], *GROUP[4:]],
    "seeds on some": [*SEEDED[:4], *GROUP[4:]],
    "prompt logprobs in one": [{**GREEDY[5], "prompt_logprobs": 2}, *GROUP[:3]],
    "nucleus sampling": [{**it, "top_p": 0.9, "top_k": 50} for it in GROUP],
    "one request again": [{**REQUEST, "max_tokens": 2}],
}
# vLLM pads a vocabulary to a multiple of 64: not Qwen's of 151936, but GPT-2's.
GPT2 = {"vocabulary": 50257, "dtype": "bfloat16", "logprobs_mode": "raw_logits"}
SETUPS = {"a vocabulary as it is": generate.QWEN, "a padded one": GPT2}
WHOLE = [*GROUPS.values(), *demo.GROUPS]


@pytest.fixture(scope="module", params=SETUPS)
def runs(request: Any, engine: Any) -> Any:
    models = [(SETUPS[request.param], WHOLE)]
    return {variant: engine(variant, models)[0] for variant in ("stock", "fork")}


def test_only_stock_compiles_while_requests_wait_and_both_give_the_same(
    runs: Any,
) -> None:
    assert list(demo.find_problems(runs)) == []
    for steps in ([runs["fork"]["loaded"]], runs["stock"]["steps"]):
        compiled = {it["function"] for it in generate.of_sampling(steps)}
        assert "batched_count_greater_than" in compiled


@pytest.mark.parametrize("group", GROUPS)
def test_every_request_gets_its_tokens_and_their_ranks(runs: Any, group: str) -> None:
    batch = runs["fork"]["steps"][list(GROUPS).index(group)]
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
