# SPDX-License-Identifier: Apache-2.0
"""Run upstream's own tests of the sampler on stock and on the fork, and compare."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.engine.generate import settings
from tools.fork.outcomes import Outcomes, changing, counts, differences
from tools.fork.program import step
from tools.fork.source.tree import Trees, tree_name
from tools.fork.testing import hub, run_pytest

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


def run(trees: Trees, report: Path) -> int:
    """Run the tests on both trees, and print each difference.

    The folder ``report`` gets upstream-tests.json, and what pytest printed.

    Returns:
        The exit status: 0 if no test is worse on the fork.

    Raises:
        ForkError: No test passed, so nothing was compared.
    """
    report.mkdir(parents=True, exist_ok=True)
    with step(f"small random models in {_MODELS}/"):
        hub.make_hub(ROOT / _MODELS, sorted(_texts(trees.stock)))
    sides = {"stock": trees.stock, "fork": trees.fork}
    found = _run_all(sides, report)
    if "passed" not in found["stock"].values():
        raise ForkError(
            "No test passed on stock, so nothing was compared; what pytest said is "
            f"in {report}/upstream-stock.log."
        )
    worse, better = differences(found["stock"], found["fork"])
    flaky = _find_flaky(worse, sides, found, report)
    worse = [nodeid for nodeid in worse if nodeid not in flaky]
    differ = {"worse": worse, "better": better, "flaky": sorted(flaky)}
    print("\n".join(_summary(found, differ)))
    file = report / "upstream-tests.json"
    ordered = {name: dict(sorted(outcomes.items())) for name, outcomes in found.items()}
    content: dict[str, Any] = {"tree": tree_name(trees.fork), **ordered, **differ}
    file.write_text(json.dumps(content, indent=1) + "\n")
    print(f"The report: {file.relative_to(ROOT)}; why tests fail: upstream-*.log there")
    return 1 if worse else 0


def _summary(
    found: Mapping[str, Outcomes], differ: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Yield the lines that say what ran, and what differs."""
    for name, outcomes in found.items():
        yield f"{name}: {len(outcomes)} tests: {counts(outcomes)}"
    for name, nodeids in differ.items():
        yield f"{len(nodeids)} {name} on the fork"
        for nodeid in nodeids:
            ended = {side: it.get(nodeid, "not run") for side, it in found.items()}
            yield f"    {nodeid}: {', '.join(map(' '.join, ended.items()))}"


def _run_all(sides: Mapping[str, Path], report: Path) -> dict[str, dict[str, str]]:
    """Run every line of TESTS on each side."""
    found: dict[str, dict[str, str]] = {name: {} for name in sides}
    for name in sides:
        (report / f"upstream-{name}.log").unlink(missing_ok=True)
    for tests in TESTS:
        print("\n".join(f"  {it}" for it in tests.split()), flush=True)
        places = _files(tests, sides["stock"])
        for name, tree in sides.items():
            start = time.perf_counter()
            outcomes = _run(places, tree, report / f"upstream-{name}.log")
            found[name].update(outcomes)
            seconds = time.perf_counter() - start
            print(f"    {name:5} {seconds:4.0f} s: {counts(outcomes)}", flush=True)
    return found


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
    found: Mapping[str, Outcomes],
    report: Path,
) -> set[str]:
    """Run again what is worse, and return what is not the same each time."""
    flaky: set[str] = set()
    for name, tree in sides.items() if worse else ():
        print(f"  {name:5} {len(worse)} of them {_RERUNS} times again", flush=True)
        log = report / f"upstream-{name}.log"
        again = [_run(worse, tree, log) for _ in range(_RERUNS)]
        flaky |= changing([found[name], *again], worse)
    return flaky


def _run(tests: Sequence[str], tree: Path, log: Path) -> dict[str, str]:
    # What is compiled is kept under what it was compiled from, so both trees share it.
    env = settings(tree, ROOT / "build/cache/upstream")
    env["HF_HOME"] = str(ROOT / _MODELS)
    return run_pytest.run(tests, tree, env, log, _SECONDS)


def _texts(tree: Path) -> Iterator[Path]:
    """Yield the files whose words the tokenizer is to know."""
    yield tree / "tests/prompts/example.txt"
    for tests in TESTS:
        yield from (tree / name for name in _files(tests, tree))
