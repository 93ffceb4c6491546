# SPDX-License-Identifier: Apache-2.0
"""Try the samplers of source trees where torch is all that is installed.

`tools.fork.child` runs this under the torch to try.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tools.fork import UPSTREAM_TEST
from tools.fork.outcomes import read_report_log
from tools.fork.sampler import stand_ins
from tools.fork.sampler.observe import construct, forget, observe

Json = dict[str, Any]
Calls = list[tuple[int, int]]


def main(
    trees: dict[str, tuple[str, Calls]], test: str | None = None
) -> Iterator[Json]:
    """Try the samplers of trees, and run the upstream test of one.

    Args:
        trees: By name the tree, and of each call the batch and the vocabulary; the
            first one's is the model's.
        test: The tree whose upstream test to run, if any.

    Yields:
        By name the ``device`` and the ``torch``; what happened ``ahead``, and in
        ``calls`` what happened in each: how many functions were ``compiled``, the
        ``seconds`` it took, and the ``error`` that it ended with, or None. Then, as
        ``test``, how many tests there are by outcome.
    """
    with tempfile.TemporaryDirectory() as caches:
        for name, (tree, calls) in trees.items():
            yield {name: _serve(Path(tree), calls, tempfile.mkdtemp(dir=caches))}
        if test:
            yield {"test": _run_upstream_test(Path(test), Path(caches, "log"))}


def _serve(tree: Path, calls: Calls, cache: str) -> Json:
    """Construct a sampler as a worker does, then gather logprobs call by call."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    forget(cache, device)
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
    return {"compiled": len(found.pop("compilations")), **found}


def _run_upstream_test(tree: Path, log: Path) -> dict[str, int]:
    import pytest

    options = ["-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "--noconftest"]
    options += [f"--rootdir={tree}", f"--report-log={log}"]
    with stand_ins.stand_in(tree):
        pytest.main([*options, str(tree / UPSTREAM_TEST)])
    outcomes = read_report_log(log.read_text().splitlines())
    return dict(Counter(outcomes.values()))
