"""Draw the measurements."""

import itertools
from pathlib import Path
from typing import Any

_COLOURS = {"fork/stock": "#2e86ab", "fork/merged": "#d1495b"}
_STALL, _OTHER = "#d1495b", "#9aa5b1"

Json = dict[str, Any]


def token_gaps(groups: list[Json]) -> list[tuple[float, str, bool]]:
    """Return the steps of a rollout that gave tokens.

    Args:
        groups: As in the engine's JSON.

    Returns:
        Per step its seconds, the name of its group if it is the first of one, else an
        empty text, and whether the group compiled anything.
    """
    result = []
    for group in groups:
        moments = sorted({moment for it in group["times"] for moment in it})
        for start, end in itertools.pairwise([0.0, *moments]):
            title = group["name"] if start == 0.0 else ""
            result.append((end - start, title, bool(group["compilations"])))
    return result


def draw_stalls(result: Json, path: Path) -> None:
    """Draw how long each step of the rollout took, a variant above the other.

    Args:
        result: The content of engine.json.
        path: The PNG file to write.
    """
    pyplot = _pyplot()
    runs = result["results"]
    figure, axes = pyplot.subplots(
        len(runs), figsize=(9, 6), sharex=True, sharey=True, layout="constrained"
    )
    for axis, run in zip(axes, runs, strict=True):
        gaps = token_gaps(run["groups"])
        usual = sorted(it[0] for it in gaps)[len(gaps) // 2]
        colours = [
            _STALL if compiled and seconds > 3 * usual else _OTHER
            for seconds, _, compiled in gaps
        ]
        axis.bar(range(len(gaps)), [it[0] for it in gaps], 0.8, color=colours)
        for place, (seconds, title, _) in enumerate(gaps):
            if title:
                axis.axvline(place - 0.5, color=_OTHER, linewidth=0.5)
            if colours[place] == _STALL:
                axis.text(
                    place, seconds * 1.1, f"{seconds:.1f} s", ha="center", fontsize=9
                )
        axis.set_yscale("log")
        axis.margins(x=0.01, y=0.15)
        axis.set_ylabel("seconds")
        axis.set_title(run["variant"], loc="left", fontweight="bold")
        axis.spines[["top", "right"]].set_visible(False)
    starts = [place for place, it in enumerate(gaps) if it[1]]
    axes[-1].set_xticks(
        starts, [gaps[it][1] for it in starts], rotation=30, ha="right", fontsize=9
    )
    axes[-1].set_xlabel("steps of the rollout, by group; red: slower while compiling")
    figure.suptitle(_title(result["machine"]))
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def draw_ratios(result: Json, path: Path) -> None:
    """Draw the ratios by batch, with their quartiles.

    Args:
        result: The content of the JSON of a steady state.
        path: The PNG file to write.
    """
    pyplot = _pyplot()
    runs = result["results"]
    levels = list(dict.fromkeys(it["level"] for it in runs))
    sizes = list(dict.fromkeys(it["vocabulary"] for it in runs))
    figure, axes = pyplot.subplots(
        len(sizes),
        len(levels),
        figsize=(max(8, 3 * len(levels) + 1), 2.5 * len(sizes) + 1.5),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for run in runs:
        axis = axes[sizes.index(run["vocabulary"])][levels.index(run["level"])]
        batches = [it["batch"] for it in run["points"]]
        axis.axhline(1, color=_OTHER, linewidth=1)
        for name, colour in _COLOURS.items():
            points = [it["ratios"][name] for it in run["points"]]
            low, high = ([it[which] for it in points] for which in ("low", "high"))
            middle = [it["median"] for it in points]
            axis.fill_between(batches, low, high, color=colour, alpha=0.2, linewidth=0)
            axis.plot(batches, middle, "o-", color=colour, markersize=3, label=name)
        axis.set_xscale("log", base=2)
        axis.set_xticks(batches, [str(it) for it in batches], fontsize=8)
        axis.set_title(f"{run['level']}, {run['vocabulary']}", loc="left", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    # The medians decide: quartiles of a busy machine may reach beyond the picture.
    medians = [
        it["ratios"][name]["median"]
        for run in runs
        for it in run["points"]
        for name in _COLOURS
    ]
    axes[0][0].set_ylim(0.9 * min(medians), 1.1 * max(medians))
    for row in axes:
        row[0].set_ylabel("ratio of times")
    for axis in axes[-1]:
        axis.set_xlabel("batch")
    handles, labels = axes[0][0].get_legend_handles_labels()
    labels = [f"{it}, below 1 the fork is faster" for it in labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(_title(result["machine"]), fontsize=10)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _title(machine: Json) -> str:
    return (
        f"vLLM {machine['release']}, torch {machine['torch']}, {machine['threads']} "
        f"threads, {machine['date']}"
    )


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
