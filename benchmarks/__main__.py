# SPDX-License-Identifier: Apache-2.0
"""The benchmarks, as a command: measure, check what was counted, write the report.

``python -m benchmarks cuda`` needs torch, numpy, packaging, jinja2, matplotlib and
pillow, this repository and, of the trees in ``build/``, only
``vllm/v1/sample/``. ``python -m benchmarks report`` measures nothing.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import parts, pictures
from tools.fork import ForkError, documents
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
    parser.add_argument("part", nargs="?", choices=[*parts.PARTS, "report"])
    parser.add_argument("--quick", action="store_true", help="only what CI needs")
    options = parser.parse_args(arguments)
    # Another command may make trees, and would be in the times.
    lock(ROOT / "build")
    figures = ROOT / ("build/report/quick" if options.quick else documents.FIGURES)
    figures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        planner = parts.Planner(options.quick, Path(scratch))
        planned = list(planner.steps(_wanted(options.part)))
        measured = parts.run(planned, options.quick, figures)
    problems = [it for content in measured.values() for it in content["problems"]]
    # Before the report, which they may be too much for.
    print("\n".join(["", *problems]))
    if options.quick:
        template = ROOT / documents.TEMPLATES / "results.md.jinja"
        written = figures / "results.md"
        text = documents.render(template, {"figures": measured})
        written.write_text(text, "utf-8")
        print(f"The report: {written.relative_to(ROOT)}")
    else:
        pictures.draw(figures, ROOT / "docs")
        print("\n".join([*documents.update(ROOT), "The report: docs/results.md"]))
    return 1 if problems else 0


def _wanted(part: str | None) -> list[str]:
    if part and part != "cuda":
        return [part]
    import torch

    if torch.cuda.is_available():
        return [part] if part else [*parts.PARTS]
    if part:
        raise ForkError("torch finds no GPU here; does `nvidia-smi`?")
    return [it for it in parts.PARTS if it != "cuda"]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ForkError as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        sys.exit(130)
