# SPDX-License-Identifier: Apache-2.0
"""What became of tests, as it is read."""

import json

import pytest

from tools.fork import outcomes


@pytest.mark.parametrize(
    ("phases", "found"),
    [
        (("setup passed", "call passed", "teardown passed"), "passed"),
        (("setup passed", "call failed", "teardown passed"), "failed"),
        (("setup failed", "teardown passed"), "error"),
        (("setup passed", "call passed", "teardown failed"), "error"),
        (("setup skipped", "teardown passed"), "skipped"),
        (("setup passed",), "error"),  # it has stopped pytest
        (("collect failed",), "error"),  # a module that cannot be imported
        (("collect passed",), None),
    ],
)
def test_phases_of_a_test_make_one_outcome(
    phases: tuple[str, ...], found: str | None
) -> None:
    lines = [{"$report_type": "SessionStart"}]
    for when, outcome in map(str.split, phases):
        lines.append({"nodeid": "a.py::t", "when": when, "outcome": outcome})

    read = outcomes.read_report_log(map(json.dumps, lines))
    assert [*read.items()] == ([("a.py::t", found)] if found else [])
