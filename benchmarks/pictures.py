# SPDX-License-Identifier: Apache-2.0
"""Draw the trainer and the server, each tied to the JSON that it is drawn from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.fork import documents
from tools.fork.engine.picture import pyplot

_WAVES = 26  # of the server's: what can be new to it comes early
_STALL, _OTHER = "#d1495b", "#9aa5b1"

Json = dict[str, Any]


def draw(figures: Path, folder: Path) -> None:
    """Draw stock above fork with empty caches, if measured: trainer.png, server.png."""
    measured = documents.load(figures)
    if "trainer" in measured:
        _draw(
            measured["trainer"],
            lambda run: [it["seconds"] for it in run["steps"]],
            lambda run: [str(at) for at, _ in enumerate(run["steps"], 1)],
            ("A trainer", "seconds a step", "steps of training"),
            (figures / "trainer.json", folder / "trainer.png"),
        )
    if "server" in measured:
        _draw(
            measured["server"],
            lambda run: [it["wait"] for it in run["waves"][:_WAVES]],
            lambda run: [str(it["size"]) for it in run["waves"][:_WAVES]],
            ("A server", "seconds, longest wait\nfor a token", "requests at once"),
            (figures / "server.json", folder / "server.png"),
        )


def _draw(
    content: Json,
    heights: Callable[[Json], list[float]],
    labels: Callable[[Json], list[str]],
    words: tuple[str, str, str],
    files: tuple[Path, Path],
) -> None:
    """Draw bars, and say how high those are in which the sampler was compiled.

    Args:
        content: What is measured.
        heights: Returns the heights of the bars of a run.
        labels: Returns the labels of its bars.
        words: What was run, what a height is, and what is told apart by bars.
        files: The JSON, and the PNG to write.
    """
    plots = pyplot()
    runs = [it for it in content["results"] if it["cache"] == "cold"]
    figure, axes = plots.subplots(
        len(runs), figsize=(9, 5), sharex=True, sharey=True, layout="constrained"
    )
    top = max(max(heights(run)) for run in runs)
    for axis, run in zip(axes, runs, strict=True):
        bars = heights(run)
        red = {it["place"] - 1 for it in run["compilations"]} & {*range(len(bars))}
        colours = [_STALL if at in red else _OTHER for at in range(len(bars))]
        axis.bar(range(len(bars)), bars, 0.8, color=colours)
        for at in red:
            label = f"{bars[at]:.2f} s"
            axis.text(at, bars[at] + top / 40, label, ha="center", fontsize=9)
        axis.set_ylim(0, 1.15 * top)
        axis.margins(x=0.02)
        axis.set_ylabel(words[1])
        title = (
            f"{run['variant']}: {len(run['compilations'])} compilations in the middle "
            f"of its work (start-up before: {run['started']:.0f} s)"
        )
        axis.set_title(title, loc="left", fontweight="bold")
        axis.spines[["top", "right"]].set_visible(False)
    names = labels(runs[0])
    axes[-1].set_xticks(range(len(names)), names, fontsize=9)
    axes[-1].set_xlabel(f"{words[2]}; red: vLLM's sampler was compiled meanwhile")
    it = content["machine"]
    where = f"vLLM {it['release']}, torch {it['torch']}, {it['cores']} cores"
    figure.suptitle(f"{words[0]}: {where}, {it['date']}", fontsize=10)
    figure.savefig(files[1], dpi=120, metadata=documents.tie(files[0]))
    plots.close(figure)
