# SPDX-License-Identifier: Apache-2.0
"""Draw the trainer and the server, each tied to the JSON that it is drawn from."""

from pathlib import Path

from tools.fork import documents
from tools.fork.child import Json

_WAVES = 26  # of the server's: what can be new to it comes early
_STALL, _OTHER = "#d1495b", "#9aa5b1"
# What a height is, and what has a bar.
_WORDS = {
    "trainer": ("seconds a step", "steps of training"),
    "server": ("seconds, longest wait\nfor a token", "requests at once"),
}


def draw(figures: Path, folder: Path) -> None:
    """Draw stock above fork with empty caches, if measured: trainer.png, server.png."""
    for name, content in documents.load(figures).items():
        if name in _WORDS:
            _draw(name, content, figures / f"{name}.json", folder / f"{name}.png")


def _draw(name: str, content: Json, figures: Path, path: Path) -> None:
    """Draw bars, and say how high those are in which the sampler was compiled."""
    from matplotlib.figure import Figure

    height, bars = _WORDS[name]
    runs = [it for it in content["results"] if it["cache"] == "cold"]
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots(len(runs), sharex=True, sharey=True)
    for axis, run in zip(axes, runs, strict=True):
        if name == "trainer":
            names = [str(at) for at, _ in enumerate(run["steps"], 1)]
            heights = [it["seconds"] for it in run["steps"]]
        else:
            names = [str(it["size"]) for it in run["waves"][:_WAVES]]
            heights = [it["wait"] for it in run["waves"][:_WAVES]]
        red = {it["place"] - 1 for it in run["compilations"]}
        colours = [_STALL if at in red else _OTHER for at in range(len(heights))]
        drawn = axis.bar(range(len(heights)), heights, 0.8, color=colours)
        labels = [f"{it:.2f} s" if at in red else "" for at, it in enumerate(heights)]
        axis.bar_label(drawn, labels, padding=2, fontsize=9)
        axis.margins(x=0.02, y=0.15)
        axis.set_ylabel(height)
        title = (
            f"{run['variant']}: {len(run['compilations'])} compilations in the middle "
            f"of its work (start-up before: {run['started']:.0f} s)"
        )
        axis.set_title(title, loc="left", fontweight="bold")
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xticks(range(len(names)), names, fontsize=9)
    axes[-1].set_xlabel(f"{bars}; red: vLLM's sampler was compiled meanwhile")
    it = content["machine"]
    where = f"vLLM {it['release']}, torch {it['torch']}, {it['cores']} cores"
    figure.suptitle(f"A {name}: {where}, {it['date']}", fontsize=10)
    figure.savefig(path, dpi=120, metadata=documents.tie(figures))
