# SPDX-License-Identifier: Apache-2.0
"""Run upstream's own tests of the sampler on stock and on the fork, and compare."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.outcomes import (
    NOT_RUN,
    Result,
    Results,
    changing,
    counts,
    differences,
    grouped,
    read_report_log,
)
from tools.fork.program import environment, step
from tools.fork.source.tree import Trees, tree_name
from tools.fork.testing import hub

# The rule: each module of the release's tests whose subject is the sampler, a logits
# processor, the logprobs or the text that come out, as far as tools/fork/testing/hub.py
# makes the models it asks for. Left out are those that start a server, or an engine for
# each test while a module here has the same subject: they take longer than all these.
# Each line is a process, for importing vLLM takes long.
TESTS = (
    "tests/v1/sample/test_sampler.py tests/v1/sample/test_topk_topp_sampler.py "
    "tests/v1/sample/test_rejection_sampler.py "
    "tests/v1/sample/test_sampling_params_e2e.py",
    "tests/test_logprobs.py tests/test_outputs.py tests/test_seed_behavior.py "
    "tests/v1/test_outputs.py tests/v1/core/test_repetition_detection.py "
    "tests/v1/engine/test_output_processor.py "
    "tests/v1/engine/test_parallel_sampling.py "
    "tests/v1/logits_processors/test_correctness.py "
    "tests/v1/worker/test_gpu_input_batch.py",
    "tests/v1/sample/test_logprobs.py tests/v1/sample/test_logprobs_e2e.py",
    "tests/v1/e2e/general/test_min_tokens.py tests/entrypoints/llm/test_generate.py",
)
_MODELS = "build/hub"
_SECONDS = 900  # that a process may take
_RERUNS = 3


def show(trees: Trees, report: Path) -> int:
    """Run the tests on both trees, and print each difference.

    The folder ``report`` gets upstream-tests.json, and what pytest printed.

    Returns:
        The exit status: 0 if no test is worse on the fork.

    Raises:
        ForkError: No test passed, so nothing was compared.
    """
    report.mkdir(parents=True, exist_ok=True)
    with step(f"{len(hub.MODELS)} small random models in {_MODELS}/"):
        hub.make_hub(ROOT / _MODELS, sorted(_texts(trees.stock)))
    sides = {"stock": trees.stock, "fork": trees.fork}
    results = _run_all(sides, report)
    worse, better = differences(results["stock"], results["fork"])
    flaky = _find_flaky(worse, sides, results, report)
    if not any(it.outcome == "passed" for it in results["stock"].values()):
        raise ForkError(
            "No test passed on stock, so nothing was compared; what pytest said is "
            f"in {report}/upstream-stock.log."
        )
    worse = [nodeid for nodeid in worse if nodeid not in flaky]
    outcomes = {
        name: {nodeid: it.outcome for nodeid, it in sorted(found.items())}
        for name, found in results.items()
    }
    file = report / "upstream-tests.json"
    content: dict[str, Any] = {"tree": tree_name(trees.fork), **outcomes}
    content |= {"worse": worse, "better": better, "flaky": sorted(flaky)}
    file.write_text(json.dumps(content, indent=1) + "\n")
    print("\n".join(summary(results, worse, better, flaky)))
    print(f"The report: {file.relative_to(ROOT)}")
    return 1 if worse else 0


def summary(
    results: Mapping[str, Results],
    worse: Sequence[str],
    better: Sequence[str],
    flaky: set[str],
) -> Iterator[str]:
    """Yield the lines that say what ran, what did not and why, and what differs."""
    for name, found in results.items():
        yield f"\n{name}: {len(found)} tests: {counts(found)}"
        yield from (f"{count:6} {cause}" for cause, count in grouped(found))
    yield ""
    listed = {"worse": worse, "better": better, "flaky": sorted(flaky)}
    for name, nodeids in listed.items():
        yield f"{len(nodeids)} {name} on the fork"
        for nodeid in nodeids:
            yield f"    {nodeid}"
            for side, found in results.items():
                it = found.get(nodeid, NOT_RUN)
                yield f"        {side}: {it.outcome} {it.cause}".rstrip()


def _run_all(sides: Mapping[str, Path], report: Path) -> dict[str, dict[str, Result]]:
    """Run every line of TESTS on each side."""
    results: dict[str, dict[str, Result]] = {name: {} for name in sides}
    for name in sides:
        (report / f"upstream-{name}.log").unlink(missing_ok=True)
    for tests in TESTS:
        print("\n".join(f"  {it}" for it in tests.split()), flush=True)
        places = _files(tests, sides["stock"])
        for name, tree in sides.items():
            start = time.perf_counter()
            found = _run(tree, places, report / f"upstream-{name}.log")
            results[name].update(found)
            seconds = time.perf_counter() - start
            print(f"    {name:5} {seconds:4.0f} s: {counts(found)}", flush=True)
    return results


def _files(tests: str, stock: Path) -> list[str]:
    """Return the modules of one line of TESTS: those of stock, for either side."""
    return [
        file.relative_to(stock).as_posix()
        for place in tests.split()
        for file in sorted([*(stock / place).rglob("test_*.py"), stock / place])
        if file.is_file()
    ]


def _find_flaky(
    worse: Sequence[str],
    sides: Mapping[str, Path],
    results: Mapping[str, Results],
    report: Path,
) -> set[str]:
    """Run again what is worse, and return what is not the same each time."""
    flaky: set[str] = set()
    if not worse:
        return flaky
    for name, tree in sides.items():
        print(f"  {name:5} {len(worse)} of them {_RERUNS} times again", flush=True)
        log = report / f"upstream-{name}.log"
        again = [_run(tree, worse, log) for _ in range(_RERUNS)]
        flaky |= changing([results[name], *again], worse)
    return flaky


def _run(tree: Path, tests: Sequence[str], log: Path) -> dict[str, Result]:
    """Run pytest in a process of its own; return what became of each test."""
    env = {
        "PYTHONPATH": str(tree),
        "HF_HOME": str(ROOT / _MODELS),
        "HF_HUB_OFFLINE": "1",
        # What is compiled is kept under what it was compiled from, so both share it.
        "TORCHINDUCTOR_CACHE_DIR": str(ROOT / "build/cache/inductor"),
        "VLLM_CACHE_ROOT": str(ROOT / "build/cache/vllm"),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    options = ["-p", "no:cacheprovider", "--continue-on-collection-errors"]
    with tempfile.TemporaryDirectory() as folder, log.open("a") as printed:
        lines = Path(folder, "log")
        lines.touch()
        options.append(f"--report-log={lines}")
        process = subprocess.Popen(
            [str(VENV / "bin/python"), "-m", "pytest", *options, *tests],
            cwd=tree,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            # Not a session: some tests make their process the leader of a group, which
            # the leader of a session may not do.
            preexec_fn=os.setpgrp,
        )
        problem = _wait(process)
        results = read_report_log(lines.read_text().splitlines())
    if problem:
        # It was at the last test that it reported on, or at the next.
        results[[*tests[:1], *results][-1]] = Result("error", problem)
    return results


def _wait(process: "subprocess.Popen[bytes]") -> str:
    """Wait for pytest; return, in words, how it ended if not by itself."""
    try:
        status = process.wait(_SECONDS)
    except subprocess.TimeoutExpired:
        return f"did not end within {_SECONDS} s"
    finally:
        # With the engines that its tests have left behind: all are in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return f"ended by signal {-status}" if status < 0 else ""


def _texts(tree: Path) -> Iterator[Path]:
    """Yield the files whose words the tokenizer is to know."""
    yield tree / "tests/prompts/example.txt"
    for tests in TESTS:
        yield from (tree / name for name in _files(tests, tree))
