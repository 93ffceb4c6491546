"""Try the sampler of source trees where torch is all that is installed.

Runs as a process of its own, under the torch to try; writes a JSON object to standard
output. The upstream test runs as far as a sampler with stand-ins around it goes.
"""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tools.fork import UPSTREAM_TEST, modules

# Batch and vocabulary, in this order.
CALLS = ((1, 32000), (2, 32000), (8, 128256), (8, 151936), (0, 151936))

Json = dict[str, Any]


def compilations(tree: Path) -> list[Json]:
    """Gather logprobs in one batch after the other.

    Args:
        tree: The source tree whose ``Sampler.gather_logprobs`` to call.

    Returns:
        For each of ``CALLS``, in ``compiled`` how often ``batched_count_greater_than``
        was compiled for it, and in ``error`` what was raised, or None.
    """
    import torch
    from torch._dynamo import utils

    torch._dynamo.reset()
    sampler = modules.load(tree).sampler.Sampler()
    results = []
    for batch, vocabulary in CALLS:
        logprobs = torch.zeros(batch, vocabulary)
        token_ids = torch.zeros(batch, dtype=torch.int64)
        utils.clear_compilation_metrics()
        error = None
        try:
            with torch.inference_mode():
                sampler.gather_logprobs(logprobs, 3, token_ids)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}".splitlines()[0]
        names = [it.co_name for it in utils.get_compilation_metrics()]
        compiled = names.count("batched_count_greater_than")
        results.append({"compiled": compiled, "error": error})
    return results


class _Outcomes:
    """A plugin of pytest's that counts what becomes of the tests."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.counts[report.outcome] += 1


def run_upstream_test(tree: Path) -> dict[str, int]:
    """Return how many tests of ``tree`` there are of each outcome."""
    import pytest

    outcomes = _Outcomes()
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "--noconftest"]
    options += ["--rootdir", str(tree)]
    with modules.stand_in(tree):
        pytest.main([*options, str(tree / UPSTREAM_TEST)], plugins=[outcomes])
    return dict(outcomes.counts)


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    stock, *woven = map(Path, sys.argv[1:])
    import torch

    found: Json = {"torch": torch.__version__, "stock": compilations(stock)}
    for fork in woven:
        found["fork"] = compilations(fork)
        found["test"] = run_upstream_test(fork)
    json.dump(found, results)
