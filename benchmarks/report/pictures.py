# SPDX-License-Identifier: Apache-2.0
"""Draw the measurements."""

import itertools
from pathlib import Path
from typing import Any

from benchmarks.report import in_use

_COLOURS = {"fork/stock": "#2e86ab", "fork/merged": "#d1495b"}
_WAVES = 26  # of the server's: what can be new to it comes early
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


def draw_training(result: Json, path: Path) -> None:
    """Draw the seconds of each step with a cold cache, a variant above the other.

    Args:
        result: The content of trainer.json.
        path: The PNG file to write.
    """
    runs = {}
    for run in _of_cache(result, "cold"):
        runs[run["variant"]] = run, [it["seconds"] for it in run["steps"]]
    labels = [str(number) for number in range(1, 1 + len(run["steps"]))]
    title = f"A trainer: GRPO with TRL {run['trl']}"
    axis_label = "steps of training; red: vLLM's sampler was compiled meanwhile"
    _draw_in_use(result, title, runs, labels, "seconds a step", axis_label, path)


def draw_serving(result: Json, cache: str, path: Path) -> None:
    """Draw the longest wait for a token by wave, a variant above the other.

    Args:
        result: The content of server.json.
        cache: ``cold``, or ``warm``: after a restart.
        path: The PNG file to write.
    """
    runs = {}
    for run in _of_cache(result, cache):
        waves = in_use.waves(run)[:_WAVES]
        runs[run["variant"]] = run, [it["wait"] for it in waves]
    labels = [str(it["size"]) for it in waves]
    title = "A server" if cache == "cold" else "A server after a restart"
    axis_label = (
        f"requests at once, the first {len(waves)} waves; red: vLLM's sampler was "
        "compiled meanwhile"
    )
    what = "seconds, longest wait\nfor a token"
    _draw_in_use(result, title, runs, labels, what, axis_label, path)


def _of_cache(result: Json, cache: str) -> list[Json]:
    return [it for it in result["results"] if it["cache"] == cache]


def _draw_in_use(
    result: Json,
    title: str,
    runs: dict[str, tuple[Json, list[float]]],
    labels: list[str],
    what: str,
    axis_label: str,
    path: Path,
) -> None:
    """Draw bars, red where something of the sampling step was compiled meanwhile.

    Args:
        result: The content of a JSON, for its machine.
        title: What was run.
        runs: By variant, its result, and the seconds of each bar.
        labels: A bar each.
        what: What a bar shows.
        axis_label: What is told apart by bars.
        path: The PNG file to write.
    """
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(
        len(runs), figsize=(9, 5), sharex=True, sharey=True, layout="constrained"
    )
    top = max(it for _, bars in runs.values() for it in bars)
    for axis, (variant, (run, bars)) in zip(axes, runs.items(), strict=True):
        compiled = in_use.compiled(run)
        places = {it["place"] - 1 for it in compiled}
        colours = [_STALL if it in places else _OTHER for it in range(len(bars))]
        axis.bar(range(len(bars)), bars, 0.8, color=colours)
        for place in [it for it in places if 0 <= it < len(bars)]:
            label = f"{bars[place]:.2f} s"
            axis.text(place, bars[place] + top / 40, label, ha="center", fontsize=9)
        axis.set_ylim(0, 1.15 * top)
        axis.margins(x=0.02)
        axis.set_ylabel(what)
        axis.set_title(
            f"{variant}: {len(compiled)} compilations in the middle of its work "
            f"(start-up before: {run['started']:.0f} s)",
            loc="left",
            fontweight="bold",
        )
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xticks(range(len(labels)), labels)
    axes[-1].set_xlabel(axis_label)
    figure.suptitle(f"{title}: {_title(result['machine'])}", fontsize=10)
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
