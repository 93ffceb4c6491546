# SPDX-License-Identifier: Apache-2.0
"""Measure the sampler of a release, stock beside fork: torch is all that it takes."""

import hashlib
import inspect
import json
import sys
from pathlib import Path

from tools.fork import child
from tools.fork.bootstrap import VENV
from tools.fork.child import Json
from tools.fork.program import Word
from tools.fork.release import Release, read_report
from tools.fork.sampler import observe, probe, stand_ins
from tools.fork.settings import packages

# Batch and vocabulary of the calls, in this order.
CALLS = ((2, 151936), (1, 151936), (8, 151936), (0, 151936))


def measure(
    release: Release, stock: Path, fork: Path, tree: str, reports: Path
) -> Json:
    """Call both samplers under the release's torch, and write sampler.json.

    What was measured of a ``tree``, git's name for the content of the fork, is not
    measured again. The report has the ``tree``; ``by`` which code of ours; and as
    ``stock``, ``fork`` and ``test`` what `tools.fork.sampler.probe` yields.

    Raises:
        ForkError: The torch cannot be had, or a sampler not be run.
    """
    there = read_report(reports, "sampler", tree)
    by = hashlib.sha256(f"{release.torch} {CALLS}".encode())
    for tool in (stand_ins, observe, probe):
        by.update(inspect.getsource(tool).encode())
    if there.get("by") == by.hexdigest():
        return there
    found: Json = {"tree": tree, "by": by.hexdigest()}
    # uv makes an environment with the torch, and with what the upstream test asks for.
    tests = ("pytest", "pytest-reportlog", "setuptools")
    wanted = (f"torch=={release.torch}", "numpy", "packaging", *tests)
    uv: list[Word] = [VENV / "bin/uv", "run", "--quiet", "--no-project", "--isolated"]
    uv += [f"--python={sys.executable}", *(f"--with={it}" for it in wanted), "python"]
    # No trial programs for what the CPU can do: Inductor takes the kernel's word.
    env = {**packages(sys.executable), "TORCHINDUCTOR_VEC_ISA_OK": "1"}
    asked: list[Json] = [
        {"trees": {"stock": [str(stock), CALLS]}},
        {"trees": {"fork": [str(fork), CALLS]}, "test": str(fork)},
    ]
    # Each in a process of its own: the first to compile waits for Inductor to start.
    for it in asked:
        for answer in child.call(uv, probe.__name__, it, env, reports / "sampler.log"):
            found |= answer
    for side in (found["stock"], found["fork"]):
        for step in (side["ahead"], *side["calls"]):
            # The first sentence; Dynamo goes on for several, and names our folders.
            step["error"] = step["error"] and step["error"].split(". ")[0]
    (reports / "sampler.json").write_text(json.dumps(found, indent=1) + "\n")
    return found
