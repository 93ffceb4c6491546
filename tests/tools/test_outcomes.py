# SPDX-License-Identifier: Apache-2.0
"""What became of tests, as it is read."""

import json

import pytest

from tools.fork import outcomes


@pytest.mark.parametrize(
    ("phases", "outcome"),
    [
        (("setup passed", "call passed", "teardown passed"), "passed"),
        (("setup passed", "call failed", "teardown passed"), "failed"),
        (("setup failed", "teardown passed"), "error"),
        (("setup passed", "call passed", "teardown failed"), "error"),
        (("setup skipped", "teardown passed"), "skipped"),
        (("setup passed",), "error"),  # it has stopped pytest
    ],
)
def test_phases_of_a_test_make_one_outcome(
    phases: tuple[str, ...], outcome: str
) -> None:
    lines = [{"$report_type": "SessionStart"}]
    for phase in phases:
        named = {"$report_type": "TestReport", "nodeid": "a.py::t"}
        lines.append(dict(zip(("when", "outcome"), phase.split(), strict=True)) | named)
    lines.append({"$report_type": "SessionEnd"})

    assert outcomes.read_report_log(map(json.dumps, lines)) == {"a.py::t": outcome}


@pytest.mark.parametrize(
    ("outcome", "counted"), [("passed", {}), ("failed", {"a.py": "error"})]
)
def test_a_module_that_cannot_be_imported_counts_under_its_name(
    outcome: str, counted: dict[str, str]
) -> None:
    line = {"$report_type": "CollectReport", "nodeid": "a.py", "outcome": outcome}

    assert outcomes.read_report_log([json.dumps(line)]) == counted
