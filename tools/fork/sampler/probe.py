# SPDX-License-Identifier: Apache-2.0
"""Try the samplers of source trees where torch is all that is installed.

Runs as a process of its own, under the torch to try. It is told, as a JSON object, by
name the tree and the calls of each, and writes a JSON object to standard output.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tools.fork import UPSTREAM_TEST
from tools.fork.sampler import stand_ins

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
    from torch._inductor import cpu_vec_isa, utils

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        # Asked once a process, by building and loading trial programs.
        cpu_vec_isa.pick_vec_isa()
    # Nothing that another tree has compiled, in memory or on disk.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp(dir=caches)
    torch._dynamo.reset()
    utils.clear_caches()
    loaded = stand_ins.load(tree, device)
    model = SimpleNamespace(runner_type="generate", get_vocab_size=lambda: calls[0][1])
    samplers = []

    def construct() -> None:
        config = SimpleNamespace(model_config=model)
        with loaded.config.set_current_vllm_config(config):
            samplers.append(loaded.sampler.Sampler())

    def gather(batch: int, vocabulary: int) -> Callable[[], Any]:
        logprobs = torch.zeros(batch, vocabulary, device=device)
        token_ids = torch.zeros(batch, dtype=torch.int64, device=device)
        return lambda: samplers[0].gather_logprobs(logprobs, 3, token_ids)

    ahead = _measure(construct)
    with torch.inference_mode():
        found = [_measure(gather(*call)) for call in calls]
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "torch": torch.__version__,
        "ahead": ahead,
        "calls": found,
    }


def _measure(call: Callable[[], Any]) -> Json:
    from torch._dynamo import utils

    utils.clear_compilation_metrics()
    error = None
    start = time.perf_counter()
    try:
        call()
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}".splitlines()[0]
    seconds = time.perf_counter() - start
    compiled = len(utils.get_compilation_metrics())
    return {"compiled": compiled, "seconds": seconds, "error": error}


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
