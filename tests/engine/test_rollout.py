"""A rollout as a trainer runs it, through the real engine, on stock and on the fork."""

import os
from typing import Any

import pytest

from tools.fork import demo
from tools.fork.release import described
from tools.fork.rollout import GROUPS
from tools.fork.tree import trees

RELEASE = described(os.environ.get("FORK_RELEASE"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made, logs = trees(RELEASE), tmp_path_factory.mktemp("logs")
    return {
        variant: demo.run_engine(variant, tree, list(GROUPS.values()), logs)["groups"]
        for variant, tree in (("stock", made.stock), ("fork", made.fork))
    }


def outputs(runs: Any, variant: str, group: str) -> Any:
    return runs[variant][list(GROUPS).index(group)]["outputs"]


def test_the_fork_compiles_nothing_after_the_first_request(runs: Any) -> None:
    first = [it["function"] for it in runs["fork"][0]["compilations"]]
    assert "batched_count_greater_than" in first
    assert demo.recompilations(runs["fork"]) == []


@pytest.mark.skipif(
    demo.marks_the_batch(trees(RELEASE).stock),
    reason="this release marks the batch itself",
)
def test_stock_compiles_again(runs: Any) -> None:
    again = {it["function"] for it in demo.recompilations(runs["stock"])}

    assert again == {"compiled_random_sample", "batched_count_greater_than"}


@pytest.mark.parametrize("group", ["all seeded", "all greedy"])
def test_seeded_and_greedy_requests_give_what_stock_gives(
    runs: Any, group: str
) -> None:
    assert outputs(runs, "fork", group) == outputs(runs, "stock", group)


@pytest.mark.parametrize(
    ("group", "count"), [("greedy and random", 4), ("prompt logprobs in one", 1)]
)
def test_greedy_requests_beside_random_ones_give_what_stock_gives(
    runs: Any, group: str, count: int
) -> None:
    fork, stock = (outputs(runs, it, group)[:count] for it in ("fork", "stock"))

    assert fork == stock


@pytest.mark.parametrize("group", GROUPS)
def test_every_request_gets_its_tokens_and_their_ranks(runs: Any, group: str) -> None:
    for request, output in zip(
        GROUPS[group], outputs(runs, "fork", group), strict=True
    ):
        assert len(output["tokens"]) == request["max_tokens"]
        for token, position in zip(output["tokens"], output["logprobs"], strict=True):
            rank, logprob = position[str(token)]
            assert rank >= 1
            assert float.fromhex(logprob) <= 0.0
        asked = request.get("prompt_logprobs")
        assert bool(output["prompt_logprobs"]) == (asked is not None)
