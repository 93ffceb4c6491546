# SPDX-License-Identifier: Apache-2.0
"""Draw the demo's report: the time to load, and that of each batch."""

import json
from pathlib import Path
from typing import Any

from tools.fork import documents
from tools.fork.engine.generate import of_sampling

_OTHER, _LOADING = "#c3cad2", "#7b8794"
_COLOURS = ("#d1495b", "#edae49", "#66629b", "#2e86ab")

Json = dict[str, Any]


def draw(report: Path, path: Path) -> None:
    """Draw demo.json as a PNG: stock above fork, loading on the left, then batches.

    The first compilation of a process, whatever it is of, includes what Inductor needs
    to start; so all compiling while loading is one colour.
    """
    plots = pyplot()
    from matplotlib.patches import Patch

    result = json.loads(report.read_text())
    variants = result["variants"]
    names = dict.fromkeys(
        it["function"] for run in variants.values() for it in of_sampling(run["steps"])
    )
    colours = dict(zip(names, _COLOURS, strict=False))
    figure, axes = plots.subplots(
        len(variants),
        2,
        figsize=(10, 6),
        sharex="col",
        sharey="col",
        width_ratios=(1, 6),
        layout="constrained",
    )
    for (left, right), (variant, run) in zip(axes, variants.items(), strict=True):
        loaded, steps = run["loaded"], run["steps"]
        ahead = sum(it["seconds"] for it in loaded["compilations"])
        _bars(left, [loaded["seconds"]], [[(ahead, _LOADING)]], ".0f")
        left.text(0, ahead / 2, f"{ahead:.1f} s", ha="center", color="white")
        parts = [
            [(it["seconds"], colours[it["function"]]) for it in of_sampling([step])]
            for step in steps
        ]
        _bars(right, [it["seconds"] for it in steps], parts, ".2f")
        lost = [it["seconds"] for it in of_sampling(steps)]
        said = f"{len(lost)} compilations, {sum(lost):.1f} s, while requests wait"
        right.set_title(f"{variant}: {said}", fontweight="bold")
        left.set_ylabel(f"{variant}: seconds", fontweight="bold")
        for axis in (left, right):
            axis.margins(y=0.12)
            axis.spines[["top", "right"]].set_visible(False)
    axes[-1][0].set_xticks([0], ["loading"])
    batches = [step["batch"] for step in variants["stock"]["steps"]]
    axes[-1][1].set_xticks(range(len(batches)), batches)
    axes[-1][1].set_xlabel("requests in the batch, in order of arrival")
    handles = [
        Patch(color=_LOADING, label="compiling while loading"),
        *(Patch(color=it, label=f"compiling {name}") for name, it in colours.items()),
        Patch(color=_OTHER, label="all else"),
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9
    )
    figure.suptitle(
        f"vLLM {result['release']} in its default mode, nothing compiled before; "
        f"torch {result['torch']},\nvocabulary {result['vocabulary']}, "
        f"{result['cores']} cores, {result['gpu'] or result['cpu']}, {result['date']}",
        fontsize=10,
    )
    figure.savefig(path, dpi=120, metadata=documents.tie(report))
    plots.close(figure)


def _bars(
    axis: Any, seconds: list[float], parts: list[list[tuple[float, str]]], form: str
) -> None:
    """Draw bars of coloured parts, from below, and the rest of the seconds on top."""
    bottoms = [0.0] * len(seconds)
    for place, compiled in enumerate(parts):
        for height, colour in compiled:
            axis.bar(place, height, 0.7, bottoms[place], color=colour)
            bottoms[place] += height
    rest = [whole - part for whole, part in zip(seconds, bottoms, strict=True)]
    bars = axis.bar(range(len(rest)), rest, 0.7, bottoms, color=_OTHER)
    labels = [f"{it:{form}} s" for it in seconds]
    axis.bar_label(bars, labels, padding=2, fontsize=9)


def pyplot() -> Any:
    """Return matplotlib's, which draws into files."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
