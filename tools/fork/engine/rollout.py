# SPDX-License-Identifier: Apache-2.0
"""A rollout as a trainer runs it: groups of requests, one after the other."""

from typing import Any

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
