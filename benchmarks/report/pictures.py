# SPDX-License-Identifier: Apache-2.0
"""Draw the measurements."""

from pathlib import Path
from typing import Any

from benchmarks.report import in_use
from benchmarks.summary import latencies
from tools.fork.engine.picture import pyplot

_COLOURS = {"fork/stock": "#2e86ab", "fork/merged": "#d1495b"}
_WAVES = 26  # of the server's: what can be new to it comes early
_STALL, _OTHER = "#d1495b", "#9aa5b1"

Json = dict[str, Any]
# What it is of, the seconds of its bars, and which of them are red.
_Panel = tuple[str, list[float], set[int]]


def draw_stalls(result: Json, path: Path) -> None:
    """Draw the longest wait for a token in each group, a variant above the other.

    Args:
        result: The content of engine.json.
        path: The PNG file to write.
    """
    panels = [
        (
            f"{run['variant']} ({run['loaded']:.0f} s to load)",
            [max(map(max, latencies([it]))) for it in run["groups"]],
            {at for at, it in enumerate(run["groups"]) if it["compilations"]},
        )
        for run in result["results"]
    ]
    labels = [it["name"] for it in result["results"][0]["groups"]]
    what = "groups of requests; red: vLLM's sampler was compiled meanwhile"
    height = "seconds, longest wait"
    _draw_bars(result, "The engine", panels, labels, height, what, path)


def draw_training(result: Json, path: Path) -> None:
    """Draw the seconds of each step with a cold cache, a variant above the other.

    Args:
        result: The content of trainer.json.
        path: The PNG file to write.
    """
    runs = _of_cache(result, "cold")
    panels = [_panel(it, [step["seconds"] for step in it["steps"]]) for it in runs]
    labels = [str(number) for number, _ in enumerate(panels[0][1], 1)]
    title = f"A trainer: GRPO with TRL {runs[0]['trl']}"
    what = "steps of training; red: vLLM's sampler was compiled meanwhile"
    _draw_bars(result, title, panels, labels, "seconds a step", what, path)


def draw_serving(result: Json, cache: str, path: Path) -> None:
    """Draw the longest wait for a token by wave, a variant above the other.

    Args:
        result: The content of server.json.
        cache: ``cold``, or ``warm``: after a restart.
        path: The PNG file to write.
    """
    runs = _of_cache(result, cache)
    waves = [in_use.waves(it)[:_WAVES] for it in runs]
    panels = [
        _panel(run, [it["wait"] for it in its])
        for run, its in zip(runs, waves, strict=True)
    ]
    labels = [str(it["size"]) for it in waves[0]]
    title = "A server" if cache == "cold" else "A server after a restart"
    what = (
        f"requests at once, the first {len(labels)} waves; red: vLLM's sampler was "
        "compiled meanwhile"
    )
    height = "seconds, longest wait\nfor a token"
    _draw_bars(result, title, panels, labels, height, what, path)


def _of_cache(result: Json, cache: str) -> list[Json]:
    return [it for it in result["results"] if it["cache"] == cache]


def _panel(run: Json, bars: list[float]) -> _Panel:
    compiled = in_use.compiled(run)
    title = (
        f"{run['variant']}: {len(compiled)} compilations in the middle of its work "
        f"(start-up before: {run['started']:.0f} s)"
    )
    return title, bars, {it["place"] - 1 for it in compiled}


def _draw_bars(
    result: Json,
    title: str,
    panels: list[_Panel],
    labels: list[str],
    height: str,
    what: str,
    path: Path,
) -> None:
    """Draw panels of bars, one above the other, and say how high the red ones are.

    Args:
        result: The content of a JSON, for its machine.
        title: What was run.
        panels: What to draw.
        labels: A bar each.
        height: What the height of a bar is.
        what: What is told apart by bars.
        path: The PNG file to write.
    """
    plots = pyplot()
    figure, axes = plots.subplots(
        len(panels),
        figsize=(9, 1 + 2 * len(panels)),
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    top = max(it for _, bars, _ in panels for it in bars)
    for axis, (name, bars, red) in zip(axes, panels, strict=True):
        colours = [_STALL if it in red else _OTHER for it in range(len(bars))]
        axis.bar(range(len(bars)), bars, 0.8, color=colours)
        for place in red & {*range(len(bars))}:
            label = f"{bars[place]:.2f} s"
            axis.text(place, bars[place] + top / 40, label, ha="center", fontsize=9)
        axis.set_ylim(0, 1.15 * top)
        axis.margins(x=0.02)
        axis.set_ylabel(height)
        axis.set_title(name, loc="left", fontweight="bold")
        axis.spines[["top", "right"]].set_visible(False)
    long = max(map(len, labels)) > 3
    turned: Json = {"rotation": 30, "ha": "right"} if long else {}
    axes[-1].set_xticks(range(len(labels)), labels, fontsize=9, **turned)
    axes[-1].set_xlabel(what)
    figure.suptitle(f"{title}: {_title(result['machine'])}", fontsize=10)
    figure.savefig(path, dpi=120)
    plots.close(figure)


def draw_ratios(result: Json, path: Path) -> None:
    """Draw the ratios by batch, with their quartiles.

    Args:
        result: The content of the JSON of a steady state.
        path: The PNG file to write.
    """
    plots = pyplot()
    runs = result["results"]
    levels = list(dict.fromkeys(it["level"] for it in runs))
    sizes = list(dict.fromkeys(it["vocabulary"] for it in runs))
    figure, axes = plots.subplots(
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
    plots.close(figure)


def _title(machine: Json) -> str:
    return (
        f"vLLM {machine['release']}, torch {machine['torch']}, {machine['threads']} "
        f"threads, {machine['date']}"
    )
