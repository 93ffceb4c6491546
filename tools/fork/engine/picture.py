# SPDX-License-Identifier: Apache-2.0
"""Draw the demo's report: the time to load, and that of each batch."""

import json
from pathlib import Path
from typing import Any

from tools.fork import documents
from tools.fork.engine.generate import of_sampling

_OTHER, _LOADING = "#c3cad2", "#7b8794"
_COLOURS = ("#d1495b", "#edae49", "#66629b", "#2e86ab")


def draw(report: Path, path: Path) -> None:
    """Draw demo.json as a PNG: stock above fork, loading on the left, then batches.

    The first compilation of a process, whatever it is of, includes what Inductor needs
    to start; so all compiling while loading is one colour.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    result = json.loads(report.read_text())
    variants = result["variants"]
    compiled = [of_sampling(run["steps"]) for run in variants.values()]
    names = dict.fromkeys(it["function"] for run in compiled for it in run)
    colours = dict(zip(names, _COLOURS, strict=False))
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots(
        len(variants), 2, sharex="col", sharey="col", width_ratios=(1, 6)
    )
    for (left, right), (variant, run) in zip(axes, variants.items(), strict=True):
        loaded, steps = run["loaded"], run["steps"]
        ahead = sum(it["seconds"] for it in loaded["compilations"])
        _bar(left, 0, loaded["seconds"], [(ahead, _LOADING)], ".0f")
        left.text(0, ahead / 2, f"{ahead:.1f} s", ha="center", color="white")
        for place, step in enumerate(steps):
            found = of_sampling([step])
            parts = [(it["seconds"], colours[it["function"]]) for it in found]
            _bar(right, place, step["seconds"], parts, ".2f")
        lost = [it["seconds"] for it in of_sampling(steps)]
        said = f"{len(lost)} compilations, {sum(lost):.1f} s, while requests wait"
        right.set_title(f"{variant}: {said}", fontweight="bold")
        left.set_ylabel(f"{variant}: seconds", fontweight="bold")
        left.set_xticks([0], ["loading"])
        right.set_xticks(range(len(steps)), [step["batch"] for step in steps])
        for axis in (left, right):
            axis.margins(y=0.12)
            axis.spines[["top", "right"]].set_visible(False)
    right.set_xlabel("requests in the batch, in order of arrival")
    meanings = {
        "compiling while loading": _LOADING,
        **{f"compiling {name}": colour for name, colour in colours.items()},
        "all else": _OTHER,
    }
    handles = [Patch(color=colour, label=it) for it, colour in meanings.items()]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=9
    )
    figure.suptitle(
        f"vLLM {result['release']} in its default mode, nothing compiled before; "
        f"torch {result['torch']},\nvocabulary {result['vocabulary']}, "
        f"{result['cores']} cores, {result['gpu'] or result['cpu']}, {result['date']}"
    )
    figure.savefig(path, dpi=120, metadata=documents.tie(report))


def _bar(
    axis: Any, place: int, seconds: float, parts: list[tuple[float, str]], form: str
) -> None:
    """Draw a bar of coloured parts, from below, and the rest of the seconds on top."""
    bottom = 0.0
    rest = seconds - sum(height for height, _ in parts)
    for height, colour in [*parts, (rest, _OTHER)]:
        drawn = axis.bar(place, height, 0.7, bottom, color=colour)
        bottom += height
    axis.bar_label(drawn, [f"{seconds:{form}} s"], padding=2, fontsize=9)
