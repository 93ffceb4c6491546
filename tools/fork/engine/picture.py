# SPDX-License-Identifier: Apache-2.0
"""Draw bars of seconds, stock above fork, and in red where the sampler compiled."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.fork import documents

Bar = tuple[object, float, bool]
_STALL, _OTHER = "#d1495b", "#9aa5b1"


def draw(
    report: Path,
    path: Path,
    title: str,
    words: tuple[str, str],
    rows: Mapping[str, Iterable[Bar]],
) -> None:
    """Draw rows of bars, each below its title, in a PNG that is tied to its report.

    ``words`` say what a height is, and what has a bar. A bar is a name, seconds, and
    whether the sampler was compiled meanwhile.
    """
    from matplotlib.figure import Figure

    height, place = words
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots(len(rows), sharex=True, sharey=True)
    for axis, (said, bars) in zip(axes, rows.items(), strict=True):
        names, heights, stalls = zip(*bars, strict=True)
        colours = [_STALL if it else _OTHER for it in stalls]
        drawn = axis.bar(range(len(heights)), heights, 0.8, color=colours)
        told = zip(heights, stalls, strict=True)
        labels = [f"{seconds:.2f} s" if stall else "" for seconds, stall in told]
        axis.bar_label(drawn, labels, padding=2, fontsize=9)
        axis.margins(x=0.02, y=0.15)
        axis.set_ylabel(height)
        axis.set_title(said, loc="left", fontweight="bold", fontsize=11)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xticks(range(len(names)), names, fontsize=9)
    axes[-1].set_xlabel(f"{place}; red: vLLM's sampler was compiled meanwhile")
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120, metadata=documents.tie(report))
