# SPDX-License-Identifier: Apache-2.0
"""What became of tests: read from pytest's log, compared, and counted."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

# By nodeid: passed, skipped, failed or error.
Outcomes = Mapping[str, str]
_RANK = {"passed": 2, "skipped": 1}  # above failed, error and not run at all


def read_report_log(lines: Iterable[str]) -> dict[str, str]:
    """Return the outcome of each test, from the lines that pytest-reportlog wrote.

    A module that was not collected counts as one, and a test that did not come to its
    end as an error.
    """
    found: dict[str, str] = {}
    for line in lines:
        report = json.loads(line)  # one for each module, three for each test
        nodeid, outcome = report.get("nodeid", ""), report.get("outcome", "")
        when = report.get("when")
        if outcome == "failed" and when != "call":
            outcome = "error"
        if when == "setup" and outcome == "passed":
            found[nodeid] = "error"  # until its call is reported
        elif when == "call" or outcome not in ("", "passed"):
            found[nodeid] = outcome
    return found


def differences(stock: Outcomes, fork: Outcomes) -> tuple[list[str], list[str]]:
    """Return the nodeids that are worse on the fork, and those that are better."""
    nodeids = sorted({*stock, *fork})
    worse = [it for it in nodeids if _rank(fork, it) < _rank(stock, it)]
    better = [it for it in nodeids if _rank(fork, it) > _rank(stock, it)]
    return worse, better


def changing(runs: Sequence[Outcomes], nodeids: Iterable[str]) -> set[str]:
    """Return those tests whose outcome is not the same in every run of one tree."""
    return {it for it in nodeids if len({_rank(run, it) for run in runs}) > 1}


def _rank(outcomes: Outcomes, nodeid: str) -> int:
    return _RANK.get(outcomes.get(nodeid, ""), 0)


def counts(outcomes: Outcomes) -> str:
    """Return how many tests there are of each outcome, in words."""
    return in_words(Counter(outcomes.values()))


def in_words(found: Mapping[str, int]) -> str:
    """Return numbers of tests, by outcome, in words."""
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
