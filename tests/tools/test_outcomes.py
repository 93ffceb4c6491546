# SPDX-License-Identifier: Apache-2.0
"""What became of upstream's tests: read, compared, and grouped by cause."""

import json
from typing import Any

from tools.fork import outcomes
from tools.fork.outcomes import NOT_RUN, UNFINISHED, Result

PASSED, SKIPPED = Result("passed"), Result("skipped", "Skipped: why")
FAILED, ERROR = Result("failed", "AssertionError: x"), Result("error", "boo")


def line(kind: str, when: str | None, outcome: str, told: Any = None) -> str:
    report = {"$report_type": kind, "nodeid": "a.py", "outcome": outcome}
    if when:
        report |= {"nodeid": "a.py::t", "when": when}
    return json.dumps({**report, "longrepr": told, "sections": []})


def phase(when: str, outcome: str, told: Any = None) -> str:
    return line("TestReport", when, outcome, told)


def crash(message: str) -> Any:
    return {"reprcrash": {"message": message}}


def read(*lines: str) -> dict[str, Result]:
    ends = [json.dumps({"$report_type": it}) for it in ("SessionStart", "SessionEnd")]
    return outcomes.read_report_log([ends[0], *lines, ends[1]])


def test_phases_of_a_test_make_one_outcome() -> None:
    setup, end = phase("setup", "passed"), phase("teardown", "passed")
    bad = crash("ValueError: boo\nand more")

    assert read(setup, phase("call", "passed"), end) == {"a.py::t": PASSED}
    assert read(setup, phase("call", "failed", bad), end) == {
        "a.py::t": Result("failed", "ValueError: boo")
    }
    assert read(phase("setup", "failed", bad), end) == {
        "a.py::t": Result("error", "ValueError: boo")
    }
    assert read(setup, phase("call", "passed"), phase("teardown", "failed", bad)) == {
        "a.py::t": Result("error", "ValueError: boo")
    }
    skip = ["a.py", 3, "Skipped: why"]
    assert read(phase("setup", "skipped", skip), end) == {"a.py::t": SKIPPED}


def test_a_test_that_stops_pytest_is_an_error() -> None:
    assert read(phase("setup", "passed")) == {"a.py::t": UNFINISHED}


def test_a_module_that_cannot_be_imported_counts_under_its_name() -> None:
    told = "ImportError while importing\nE   ModuleNotFoundError: No module named 'x'"
    failed = line("CollectReport", None, "failed", told)
    passed = line("CollectReport", None, "passed")

    assert read(passed) == {}
    assert read(failed) == {
        "a.py": Result("error", "ModuleNotFoundError: No module named 'x'")
    }


def test_the_cause_of_a_dead_engine_is_in_what_it_printed() -> None:
    told = crash("RuntimeError: Engine core failed. See root cause above.")
    report = json.loads(phase("call", "failed", told))
    printed = "(Core) ValueError: too small\n(Core) RuntimeError: See root cause above."
    report["sections"] = [["Captured stderr call", printed]]

    assert read(json.dumps(report))["a.py::t"].cause == "ValueError: too small"


def test_worse_and_better() -> None:
    stock = {
        "a": PASSED,
        "b": PASSED,
        "c": SKIPPED,
        "d": FAILED,
        "e": ERROR,
        "f": ERROR,
    }
    fork = {
        "a": PASSED,
        "b": SKIPPED,
        "c": FAILED,
        "d": PASSED,
        "e": FAILED,
        "g": ERROR,
    }

    assert outcomes.differences(stock, fork) == (["b", "c"], ["d"])


def test_a_test_that_did_not_run_on_the_fork_is_worse() -> None:
    assert outcomes.differences({"a": PASSED}, {}) == (["a"], [])
    assert outcomes.differences({}, {"a": PASSED}) == ([], ["a"])


def test_only_what_changes_from_run_to_run_is_flaky() -> None:
    runs = [
        {"a": PASSED, "b": FAILED, "c": FAILED, "d": PASSED},
        {"a": PASSED, "b": PASSED, "c": ERROR, "d": NOT_RUN},
    ]

    assert outcomes.changing(runs, ["a", "b", "c"]) == {"b"}


def test_causes_are_grouped() -> None:
    causes = {
        "a": "ModuleNotFoundError: No module named 'lm_eval'",
        "b": "Skipped: Requires CUDA",
        "c": "TypeError: 'function' object is not subscriptable",
        "d": "AssertionError: assert 12 == 3.5e-4",
        "e": "AssertionError: assert 1 == 2",
    }
    results = {name: Result("failed", cause) for name, cause in causes.items()}

    assert dict(outcomes.grouped({**results, "f": PASSED})) == {
        "failed: needs the package lm_eval": 1,
        "failed: needs a GPU": 1,
        "failed: needs Triton on a GPU": 1,
        "failed: AssertionError: assert N == N": 2,
    }
