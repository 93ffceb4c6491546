# SPDX-License-Identifier: Apache-2.0
"""Run upstream's own tests of the sampler on stock and on the fork, and compare."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.child import Json
from tools.fork.engine.generate import settings
from tools.fork.outcomes import Outcomes, counts
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
_PROMPTS = "tests/prompts/example.txt"
_RERUNS = 3
_RANK = {"passed": 2, "skipped": 1}  # above failed and error


def run(trees: Trees, report: Path) -> int:
    """Run the tests on both trees; return the exit status, 1 if any is worse.

    The folder ``report`` gets upstream-tests.json, and what pytest printed.
    """
    report.mkdir(parents=True, exist_ok=True)
    sides = {"stock": trees.stock, "fork": trees.fork}
    found: dict[str, dict[str, str]] = {side: {} for side in sides}

    def run_on(side: str, tests: Sequence[str]) -> dict[str, str]:
        # What is compiled is kept under what it was compiled from: both trees share it.
        env = settings(sides[side], ROOT / "build/cache/upstream")
        env["HF_HOME"] = str(ROOT / _MODELS)
        start = time.perf_counter()
        ended = run_pytest.run(tests, sides[side], env, report / f"upstream-{side}.log")
        seconds = time.perf_counter() - start
        print(f"    {side:5} {seconds:4.0f} s: {counts(ended)}", flush=True)
        return ended

    # Those of stock on either side, as far as this release has them.
    modules = [
        [it for it in tests.split() if (trees.stock / it).is_file()] for tests in TESTS
    ]
    words = [trees.stock / it for tests in modules for it in tests]
    with step(f"small random models in {_MODELS}/"):
        hub.make_hub(ROOT / _MODELS, sorted([trees.stock / _PROMPTS, *words]))
    for side in sides:
        (report / f"upstream-{side}.log").unlink(missing_ok=True)
    for tests in filter(None, modules):
        print("\n".join(f"  {it}" for it in tests), flush=True)
        for side in sides:
            found[side] |= run_on(side, tests)
    if "passed" not in found["stock"].values():
        raise ForkError(
            "No test passed on stock, so nothing was compared; what pytest said is "
            f"in {report}/upstream-stock.log."
        )
    stock, fork = (_ranks(it) for it in found.values())
    worse, better = sorted(stock - fork), sorted(fork - stock)
    flaky = set()
    for side in sides if worse else ():
        print(f"  {len(worse)} of them {_RERUNS} times again", flush=True)
        runs = [found[side], *(run_on(side, worse) for _ in range(_RERUNS))]
        flaky |= {it for it in worse if len({_ranks(run)[it] for run in runs}) > 1}
    worse = [nodeid for nodeid in worse if nodeid not in flaky]
    differ = {"worse": worse, "better": better, "flaky": sorted(flaky)}
    print("\n".join(_summary(found, differ)))
    file = report / "upstream-tests.json"
    content: Json = {"tree": tree_name(trees.fork), **found, **differ}
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    print(f"The report: {file.relative_to(ROOT)}; why tests fail: upstream-*.log there")
    return 1 if worse else 0


def _ranks(outcomes: Outcomes) -> Counter[str]:
    """Return by test how good its outcome is; one that did not run is like one failed.

    Of two of these, the difference holds the tests that are better in the first.
    """
    return Counter({nodeid: _RANK.get(it, 0) for nodeid, it in outcomes.items()})


def _summary(
    found: Mapping[str, Outcomes], differ: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    for name, outcomes in found.items():
        yield f"{name}: {len(outcomes)} tests: {counts(outcomes)}"
    for name, nodeids in differ.items():
        yield f"{len(nodeids)} {name} on the fork"
        for nodeid in nodeids:
            ended = {side: it.get(nodeid, "not run") for side, it in found.items()}
            yield f"    {nodeid}: {', '.join(map(' '.join, ended.items()))}"
