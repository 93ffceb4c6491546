# SPDX-License-Identifier: Apache-2.0
"""A rollout as a trainer runs it, through the real engine, on stock and on the fork."""

from typing import Any

import pytest

from tools.fork.engine import demo, generate, process

REQUEST = {"logprobs": 0, "ignore_eos": True, "temperature": 1.0}
ONE = [{**REQUEST, "max_tokens": 2}]
# A group of samples that end one by one, so that the batch shrinks from 8 to 1.
GROUP = [{**REQUEST, "max_tokens": length} for length in range(1, 9)]
SEEDED = [{**it, "seed": place} for place, it in enumerate(GROUP)]
GREEDY = [{**it, "temperature": 0.0} for it in GROUP]
GROUPS: list[list[dict[str, Any]]] = [ONE, GROUP, GROUP, SEEDED, GREEDY]
GROUPS += [[*some[:4], *GROUP[4:]] for some in (GREEDY, SEEDED)]
GROUPS += [[{**GREEDY[5], "prompt_logprobs": 2}, *GROUP[:3]]]
GROUPS += [[{**it, "top_p": 0.9, "top_k": 50} for it in GROUP], ONE, *demo.GROUPS]
# vLLM pads a vocabulary to a multiple of 64: not Qwen's of 151936, but GPT-2's.
GPT2 = {"vocabulary": 50257, "dtype": "bfloat16"}
# Of a prompt of 6 tokens, 4 at a time, the second part has the logprobs of one row.
# No seeds: a CPU's stock release fails on a seeded request whose prompt comes in parts.
CHUNKS = {"max_logprobs": -1, "max_num_batched_tokens": 4, "max_num_seqs": 4}
ALL = {**REQUEST, "logprobs": -1, "prompt_logprobs": 3, "max_tokens": 2}
CASES = {
    "a vocabulary as it is": (generate.QWEN, GROUPS),
    "a padded one": ({**GPT2, "logprobs_mode": "raw_logits"}, GROUPS),
    "prompts in chunks": ({**GPT2, **CHUNKS}, [[ALL], [ALL, ALL]]),
}


@pytest.mark.parametrize("case", CASES)
def test_only_stock_compiles_while_requests_wait_and_both_give_the_same(
    case: str, engine: Any
) -> None:
    setup, groups = CASES[case]

    runs = {it: engine(it, [CASES[case]])[0] for it in ("stock", "fork")}

    assert list(demo.find_problems(runs)) == []
    for steps in ([runs["fork"]["loaded"]], runs["stock"]["steps"]):
        compiled = {it["function"] for it in generate.of_sampling(steps)}
        assert "batched_count_greater_than" in compiled
    outputs = [it for step in runs["fork"]["steps"] for it in step["outputs"]]
    requests = [it for group in groups for it in group]
    for request, output in zip(requests, outputs, strict=True):
        ((tokens, logprobs),) = output["samples"]
        assert len(tokens) == request["max_tokens"]
        for token, position in zip(tokens, logprobs, strict=True):
            rank, logprob = position[str(token)]
            assert rank >= 1
            # Raw logits are asked for as logprobs, too.
            assert float.fromhex(logprob) < float("inf")
            assert request["logprobs"] != -1 or len(position) == setup["vocabulary"]
        of_prompt = process.PROMPT if "prompt_logprobs" in request else 0
        assert len(output["prompt_logprobs"]) == of_prompt
