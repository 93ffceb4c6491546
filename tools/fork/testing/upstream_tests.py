# SPDX-License-Identifier: Apache-2.0
"""Run upstream's own tests of the sampler on stock and on the fork, and compare."""

import json
from collections.abc import Sequence
from itertools import chain

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.engine.generate import settings
from tools.fork.environment import build
from tools.fork.outcomes import Outcomes, counts
from tools.fork.program import step
from tools.fork.release import Release, report_folder
from tools.fork.source.tree import tree_name
from tools.fork.testing import hub, run_pytest

# The rule: each module of the release's tests whose subject is the sampler, a logits
# processor, the logprobs or the text that come out, as far as tools/fork/testing/hub.py
# makes the models it asks for. Left out are those that start a server, or an engine for
# each test while a module here has the same subject: they take longer than all these.
# Each line is a process, for importing vLLM takes long; all in one would not end, for
# test_correctness.py forks, which after some others hangs.
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
_PROMPTS = "tests/prompts/example.txt"
_HUB = "build/hub"
_RERUNS = 3
_RANK = {"passed": 2, "skipped": 1}  # above failed, error, and not run


def run(release: Release) -> None:
    """Run the tests on both trees, and fail if the outcome of any is worse on the fork.

    The report is upstream-tests.json; what pytest printed is beside it.
    """
    trees, report = build.make(release), report_folder(release)
    sides = {"stock": trees.stock, "fork": trees.fork}
    found: dict[str, dict[str, str]] = {side: {} for side in sides}
    report.mkdir(parents=True, exist_ok=True)
    for side in sides:
        (report / f"upstream-{side}.log").unlink(missing_ok=True)

    def run_on(side: str, tests: Sequence[str]) -> dict[str, str]:
        # What is compiled is kept under what it was compiled from: both trees share it.
        env = settings(sides[side], ROOT / "build/cache/upstream")
        env["HF_HOME"] = str(ROOT / _HUB)
        with step(f"  {side}"):
            log = report / f"upstream-{side}.log"
            return run_pytest.run(tests, sides[side], env, log)

    # Those of stock on either side, as far as this release has them.
    modules = [
        [it for it in tests.split() if (trees.stock / it).is_file()] for tests in TESTS
    ]
    with step(f"a small random model in {_HUB}/"):
        words = [trees.stock / it for it in (_PROMPTS, *chain(*modules))]
        hub.make_hub(ROOT / _HUB, [it.read_text() for it in words])
    for tests in filter(None, modules):
        print("\n".join(f"  {it}" for it in tests), flush=True)
        for side in sides:
            found[side] |= run_on(side, tests)
    if "passed" not in found["stock"].values():
        raise ForkError(
            "No test passed on stock, so nothing was compared; what pytest said is "
            f"in {report}/upstream-stock.log."
        )
    worse = first = _better(*found.values())
    for _ in range(_RERUNS if first else 0):
        print(f"  again, {len(first)} that are worse", flush=True)
        worse = worse & _better(*(run_on(side, sorted(first)) for side in sides))
    differ = {
        "worse": sorted(worse),
        "better": sorted(_better(found["fork"], found["stock"])),
        "flaky": sorted(first - worse),
    }
    for side, outcomes in found.items():
        print(f"{side}: {len(outcomes)} tests: {counts(outcomes)}")
    for name, nodeids in differ.items():
        print(f"{len(nodeids)} {name} on the fork")
        for it in nodeids:
            ended = (f"{side} {found[side].get(it, 'not run')}" for side in sides)
            print(f"    {it}: {', '.join(ended)}")
    file = report / "upstream-tests.json"
    content = {"tree": tree_name(trees.fork), **found, **differ}
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    print(f"The report: {file.relative_to(ROOT)}; why tests fail: upstream-*.log there")
    if worse:
        raise ForkError("Not every test ends as well on the fork as on stock.")


def _better(these: Outcomes, others: Outcomes) -> set[str]:
    """Return the tests whose outcome is better in these than in the others."""
    return {
        nodeid
        for nodeid, outcome in these.items()
        if _RANK.get(outcome, 0) > _RANK.get(others.get(nodeid, ""), 0)
    }
