# SPDX-License-Identifier: Apache-2.0
"""Weave the change into releases, without building anything."""

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT
from tools.fork.environment import build
from tools.fork.release import Release, all_described
from tools.fork.source.tree import Trees, changed_lines, digests

RECORD = ROOT / "woven.sha256"


def weave_all() -> dict[str, Trees]:
    """Weave the change into every release, and record the digests of what is woven.

    So a review sees which files of which releases a change touches. If the change does
    not fit all of them, the error names each with the reason, and the record stays.
    """
    made, lines, misfits = {}, [], []
    for release in all_described():
        try:
            made[release.version] = weave(release)
            lines += digests(made[release.version].fork, release)
        except ForkError as error:
            print(error)
            misfits.append(f"vLLM {release.version}: {error}")
    if misfits:
        raise ForkError("\n".join(misfits))
    RECORD.write_text("\n".join([*lines, ""]))
    return made


def weave(release: Release) -> Trees:
    """Fetch a release, weave the change into it, and print how many lines changed."""
    print(f"vLLM {release.version}", flush=True)
    made = build.make_trees(
        release, "sdist" if "vllm" in release.digests else "cpu-wheel"
    )
    lines = changed_lines(made.fork, release.tag, "HEAD", "vllm")
    print(f"    {made.fork.relative_to(ROOT)}: {lines} lines")
    return made
