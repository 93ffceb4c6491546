# SPDX-License-Identifier: Apache-2.0
"""Draw the demo's report: the time of each batch, compiling apart from the rest."""

from pathlib import Path
from typing import Any

from tools.fork.engine.serve import of_sampling

_OTHER = "#9aa5b1"
_COLOURS = ("#d1495b", "#edae49", "#66629b", "#2e86ab")


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw what demo.json says as a PNG: stock above fork, one bar a batch.

    The first batch of stock compiles what takes longest and would dwarf the rest, so
    its bar is cut off above the others.
    """
    plots = pyplot()
    from matplotlib.patches import Patch

    variants = result["variants"]
    steps = [step for run in variants.values() for step in run["steps"]]
    later = [it["seconds"] for run in variants.values() for it in run["steps"][1:]]
    top = 1.15 * max(later)
    names = dict.fromkeys(it["function"] for it in of_sampling(steps))
    colours = {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(names)}
    figure, axes = plots.subplots(
        len(variants), figsize=(9, 6), sharex=True, sharey=True, layout="constrained"
    )
    for axis, (variant, run) in zip(axes, variants.items(), strict=True):
        for place, step in enumerate(run["steps"]):
            bottom = 0.0
            for it in of_sampling([step]):
                colour = colours[it["function"]]
                axis.bar(place, it["seconds"], 0.7, bottom, color=colour)
                bottom += it["seconds"]
            axis.bar(place, step["seconds"] - bottom, 0.7, bottom, color=_OTHER)
            height, label = step["seconds"] + top / 60, f"{step['seconds']:.2f} s"
            style: dict[str, Any] = {"ha": "center", "fontsize": 9}
            if step["seconds"] > top:
                height, label = top / 2, f"compiling: {step['seconds']:.0f} s →"
                style |= {"rotation": 90, "color": "white", "va": "center"}
            axis.text(place, height, label, **style)
        axis.set_ylim(0, top)
        compiled = len(list(of_sampling(run["steps"])))
        title = (
            f"{variant}: {compiled} compilations while requests wait "
            f"(loading before: {run['loaded']:.0f} s)"
        )
        axis.set_title(title, loc="left", fontweight="bold")
        axis.set_ylabel("seconds")
        axis.spines[["top", "right"]].set_visible(False)
    batches = [str(step["batch"]) for step in variants["stock"]["steps"]]
    axes[-1].set_xticks(range(len(batches)), batches)
    axes[-1].set_xlabel("requests in the batch, in order of arrival")
    handles = [
        *(Patch(color=it, label=f"compiling {name}") for name, it in colours.items()),
        Patch(color=_OTHER, label="sampling, and all else"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(
        f"vLLM {result['release']}, torch {result['torch']}, {result['device']}, "
        f"vocabulary {result['vocabulary']}"
    )
    figure.savefig(path, dpi=120)
    plots.close(figure)


def pyplot() -> Any:
    """Return matplotlib's, which draws into files."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
