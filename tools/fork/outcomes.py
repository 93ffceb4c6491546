# SPDX-License-Identifier: Apache-2.0
"""What became of tests: read from pytest's log, and counted."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping

# By nodeid: passed, skipped, failed or error.
Outcomes = Mapping[str, str]


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


def counts(outcomes: Outcomes) -> str:
    """Return how many tests there are of each outcome, in words."""
    found = Counter(outcomes.values())
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
