# SPDX-License-Identifier: Apache-2.0
"""The benchmarks, as a command: measure, write the report, check the compilations.

``python -m benchmarks cuda`` needs torch, numpy, packaging and matplotlib, this
repository and, of the trees in ``build/``, only ``vllm/v1/sample/``.
``python -m benchmarks report`` measures nothing.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import plan, summary
from benchmarks.report import document, in_use
from tools.fork import ForkError
from tools.fork.bootstrap import ROOT, lock


def main(arguments: list[str]) -> int:
    """Run the benchmarks.

    Args:
        arguments: As typed after ``python -m benchmarks``.

    Returns:
        The exit status: 0 if each variant compiled as often as it should, and what
        else was counted or compared is as it should be.

    Raises:
        ForkError: A measurement failed, or another command is at work.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("part", nargs="?", choices=[*plan.PARTS, "report"])
    parser.add_argument("--quick", action="store_true", help="only what CI needs")
    options = parser.parse_args(arguments)
    # One of the parts makes trees, and what runs beside a measurement is in its times.
    held = lock(ROOT / "build")
    if held:
        raise ForkError(held)
    folder = ROOT / "build/report" / ("quick" if options.quick else "")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        planner = plan.Planner(options.quick, folder, Path(scratch))
        planned = list(planner.steps([options.part] if options.part else _parts_here()))
        measured = plan.run(planned, options.quick, folder)
    kept = {
        path.stem: json.loads(path.read_text())
        for path in sorted(folder.glob("*.json"))
    }
    problems = [
        problem
        for name, content in measured.items()
        for problem in _find_problems(name, content["results"])
    ]
    # Before the report, which they may be too much for.
    print("\n".join(["", *problems]))
    docs = folder if options.quick else ROOT / "docs"
    document.write(kept, docs)
    if not problems:
        print("\n".join(document.summary(kept)))
    print(f"\nThe report: {docs.relative_to(ROOT)}/results.md")
    return 1 if problems else 0


def _find_problems(name: str, results: list[dict[str, Any]]) -> Iterable[str]:
    """Return what the counts of one kind of results do not show that they should."""
    if name.startswith("compilations"):
        return summary.find_problems(results)
    finders = {
        "trainer": in_use.problems_of_trainer,
        "server": in_use.problems_of_server,
    }
    return finders[name](results) if name in finders else ()


def _parts_here() -> list[str]:
    import torch

    # Reading generated code takes several torches, gigabytes each.
    no = {"split"} if torch.cuda.is_available() else {"split", "cuda"}
    return [it for it in plan.PARTS if it not in no]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ForkError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)
