# SPDX-License-Identifier: Apache-2.0
"""Try the samplers of source trees where torch is all that is installed.

Runs as a process of its own, under the torch to try. It is told, as a JSON object, by
name the tree and the calls of each, and writes a JSON object to standard output.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.fork import UPSTREAM_TEST
from tools.fork.sampler import stand_ins
from tools.fork.sampler.observe import construct, forget, observe

Json = dict[str, Any]


def serve(tree: Path, calls: "list[tuple[int, int]]", caches: Path) -> Json:
    """Construct a sampler as a worker does, then gather logprobs call by call.

    Args:
        tree: The source tree whose ``Sampler`` to use.
        calls: Of each the batch and the vocabulary; the first one's is the model's.
        caches: The folder for what is compiled.

    Returns:
        The ``device`` and the ``torch``; what happened ``ahead``, and in ``calls`` what
        happened in each: how many functions were ``compiled``, the ``seconds`` it took,
        and the ``error`` that it ended with, or None.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    forget(tempfile.mkdtemp(dir=caches), device)
    loaded = stand_ins.load(tree, device)
    samplers: list[Any] = []

    def gather(batch: int, vocabulary: int) -> Callable[[], Any]:
        logprobs = torch.zeros(batch, vocabulary, device=device)
        token_ids = torch.zeros(batch, dtype=torch.int64, device=device)
        return lambda: samplers[0].gather_logprobs(logprobs, 3, token_ids)

    ahead = _count(lambda: samplers.append(construct(loaded, calls[0][1])))
    with torch.inference_mode():
        found = [_count(gather(*call)) for call in calls]
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "torch": torch.__version__,
        "ahead": ahead,
        "calls": found,
    }


def _count(call: Callable[[], Any]) -> Json:
    found = observe(call)
    compiled = len(found.pop("compilations"))
    return {"compiled": compiled, **found}


class _Outcomes:
    """A plugin of pytest's that counts what becomes of the tests."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.counts[report.outcome] += 1


def run_upstream_test(tree: Path) -> "dict[str, int]":
    """Return how many tests of ``tree`` there are of each outcome."""
    import pytest

    outcomes = _Outcomes()
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "--noconftest"]
    options += ["--rootdir", str(tree)]
    with stand_ins.stand_in(tree):
        pytest.main([*options, str(tree / UPSTREAM_TEST)], plugins=[outcomes])
    return dict(outcomes.counts)


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    trees = json.loads(sys.argv[1])
    with tempfile.TemporaryDirectory() as caches:
        answer: Json = {
            name: serve(Path(tree), calls, Path(caches))
            for name, (tree, calls) in trees.items()
        }
    if sys.argv[2:] == ["--test"]:
        answer["test"] = run_upstream_test(Path(trees["fork"][0]))
    json.dump(answer, results)
