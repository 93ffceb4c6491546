# SPDX-License-Identifier: Apache-2.0
"""What became of tests: read from pytest's log, compared, and grouped by cause."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The first pattern found in what pytest reported of a test names why it cannot run.
CAUSES = {
    r"No module named '(\w+)": "needs the package {}",
    r"fixture '(\w+)' not found": "needs the pytest plugin with the fixture {}",
    # What a Triton kernel is where Triton finds no driver.
    r"'function' object is not subscriptable|[Tt]riton": "needs Triton on a GPU",
    r"GPU|CUDA|cuda|ROCm|FLASH_ATTN|FLASHINFER|[Ff]lash[Ii]nfer": "needs a GPU",
    r"[Oo]ffline|LocalEntryNotFound|couldn't connect|Cannot find the requested": (
        "needs a model or data that is not made here"
    ),
    r"CPU Generator": "needs a GPU's random generator",
    r"EngineDeadError": "needs the engine that an earlier test has stopped",
    r"did not end within": "takes too long",
}
# What is raised where an engine or a server, a process of its own, has died.
_ELSEWHERE = r"root cause|Server exited"
_RANK = {"passed": 2, "skipped": 1}  # above failed, error and not run at all


@dataclass(frozen=True)
class Result:
    """What became of one test."""

    outcome: str  # passed, failed, error or skipped
    cause: str = ""  # if it did not pass: the last line of what pytest reported


Results = Mapping[str, Result]  # by nodeid
NOT_RUN = Result("error", "did not run")
UNFINISHED = Result("error", "did not come to its end")


def read_report_log(lines: Iterable[str]) -> dict[str, Result]:
    """Read what pytest-reportlog wrote.

    Args:
        lines: JSON objects: one for each module, three for each test.

    Returns:
        What became of each test; a module that was not collected counts as one.
    """
    results: dict[str, Result] = {}
    for line in lines:
        report = json.loads(line)
        nodeid, outcome = report.get("nodeid", ""), report.get("outcome", "")
        if outcome == "failed" and report.get("when") != "call":
            outcome = "error"
        if outcome and outcome != "passed":
            results[nodeid] = Result(outcome, _last_line(report))
        elif report.get("when") == "setup":
            results[nodeid] = UNFINISHED  # until its call is reported
        elif report.get("when") == "call":
            results[nodeid] = Result("passed")
    return results


def _last_line(report: Mapping[str, Any]) -> str:
    """Return the line in which a report says what went wrong, or why it skipped."""
    told = report["longrepr"]
    if isinstance(told, list):
        return str(told[-1])
    if isinstance(told, str):
        marked = re.findall(r"^E +(.+)", told, re.MULTILINE) or [told.strip()]
        line = str(marked[-1].splitlines()[-1])
    else:
        crash = told.get("reprcrash") or {}
        line = next(iter(crash.get("message", "").splitlines()), "no message")
    printed = "\n".join(text for _, text in report["sections"])
    errors = re.findall(r"\b([A-Z]\w*(?:Error|Exception): .+)", printed)
    if re.search(_ELSEWHERE, line):
        line = next((it for it in errors if not re.search(_ELSEWHERE, it)), line)
    return line.strip()


def differences(stock: Results, fork: Results) -> tuple[list[str], list[str]]:
    """Return the nodeids that are worse on the fork, and those that are better."""
    nodeids = sorted({*stock, *fork})
    worse = [it for it in nodeids if _rank(fork, it) < _rank(stock, it)]
    better = [it for it in nodeids if _rank(fork, it) > _rank(stock, it)]
    return worse, better


def changing(runs: Sequence[Results], nodeids: Iterable[str]) -> set[str]:
    """Return those tests whose outcome is not the same in every run of one tree."""
    return {it for it in nodeids if len({_rank(run, it) for run in runs}) > 1}


def _rank(results: Results, nodeid: str) -> int:
    return _RANK.get(results.get(nodeid, NOT_RUN).outcome, 0)


def counts(results: Results) -> str:
    """Return how many tests there are of each outcome, in words."""
    return in_words(Counter(it.outcome for it in results.values()))


def in_words(found: Mapping[str, int]) -> str:
    """Return numbers of tests, by outcome, in words."""
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))


def grouped(results: Results) -> list[tuple[str, int]]:
    """Return why tests did not pass, and how many, the most first."""
    found = Counter(
        f"{it.outcome}: {_group(it.cause)}"
        for it in results.values()
        if it.outcome != "passed"
    )
    return found.most_common()


def _group(cause: str) -> str:
    for pattern, name in CAUSES.items():
        if match := re.search(pattern, cause):
            return name.format(*match.groups())
    # Numbers differ from test to test where the reason is the same.
    return re.sub(r"-?\d[\d.e-]*", "N", cause)[:70]
