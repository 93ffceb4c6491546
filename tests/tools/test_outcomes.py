# SPDX-License-Identifier: Apache-2.0
"""What became of upstream's tests: read, compared, and counted."""

import json

from tools.fork import outcomes


def line(kind: str, when: str | None, outcome: str) -> str:
    report = {"$report_type": kind, "nodeid": "a.py", "outcome": outcome}
    if when:
        report |= {"nodeid": "a.py::t", "when": when}
    return json.dumps(report)


def phase(when: str, outcome: str) -> str:
    return line("TestReport", when, outcome)


def read(*lines: str) -> dict[str, str]:
    ends = [json.dumps({"$report_type": it}) for it in ("SessionStart", "SessionEnd")]
    return outcomes.read_report_log([ends[0], *lines, ends[1]])


def test_phases_of_a_test_make_one_outcome() -> None:
    setup, end = phase("setup", "passed"), phase("teardown", "passed")
    call = phase("call", "passed")

    assert read(setup, call, end) == {"a.py::t": "passed"}
    assert read(setup, phase("call", "failed"), end) == {"a.py::t": "failed"}
    assert read(phase("setup", "failed"), end) == {"a.py::t": "error"}
    assert read(setup, call, phase("teardown", "failed")) == {"a.py::t": "error"}
    assert read(phase("setup", "skipped"), end) == {"a.py::t": "skipped"}


def test_a_test_that_stops_pytest_is_an_error() -> None:
    assert read(phase("setup", "passed")) == {"a.py::t": "error"}


def test_a_module_that_cannot_be_imported_counts_under_its_name() -> None:
    assert read(line("CollectReport", None, "passed")) == {}
    assert read(line("CollectReport", None, "failed")) == {"a.py": "error"}


def test_worse_and_better() -> None:
    order = ("passed", "passed", "skipped", "failed", "error", "error")
    stock = dict(zip("abcdef", order, strict=True))
    order = ("passed", "skipped", "failed", "passed", "failed", "error")
    fork = dict(zip("abcdeg", order, strict=True))

    assert outcomes.differences(stock, fork) == (["b", "c"], ["d"])


def test_a_test_that_did_not_run_on_the_fork_is_worse() -> None:
    assert outcomes.differences({"a": "passed"}, {}) == (["a"], [])
    assert outcomes.differences({}, {"a": "passed"}) == ([], ["a"])


def test_only_what_changes_from_run_to_run_is_flaky() -> None:
    runs = [
        {"a": "passed", "b": "failed", "c": "failed", "d": "passed"},
        {"a": "passed", "b": "passed", "c": "error"},
    ]

    assert outcomes.changing(runs, ["a", "b", "c"]) == {"b"}


def test_outcomes_in_words() -> None:
    assert outcomes.counts({"a": "passed", "b": "failed", "c": "passed"}) == (
        "1 failed, 2 passed"
    )
