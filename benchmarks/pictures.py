# SPDX-License-Identifier: Apache-2.0
"""Draw the demo, the trainer and the server, each from its JSON."""

from pathlib import Path

from tools.fork import documents
from tools.fork.child import Json
from tools.fork.engine import demo, picture

_WAVES = 26  # of the server's: what can be new to it comes early
# What a height is, and what has a bar.
_WORDS = {
    "trainer": ("seconds a step", "steps of training"),
    "server": ("seconds, longest wait\nfor a token", "requests at once"),
}


def draw(figures: Path, folder: Path) -> None:
    """Draw what was measured; of a trainer or server, with empty caches."""
    for name, content in documents.load(figures).items():
        file, path = figures / f"{name}.json", folder / f"{name}.png"
        if name == "demo":
            demo.draw(file, path)
        if name in _WORDS:
            on = content["machine"]
            where = f"vLLM {on['release']}, torch {on['torch']}, {on['cores']} cores"
            runs = [run for run in content["results"] if run["cache"] == "cold"]
            rows = dict(map(_row, runs))
            title = f"A {name}: {where}, {on['date']}"
            picture.draw(file, path, title, _WORDS[name], rows)


def _row(run: Json) -> tuple[str, list[picture.Bar]]:
    """Return the title of a run, and its bars."""
    bars = [(it["size"], it["wait"]) for it in run.get("waves", ())[:_WAVES]]
    bars = bars or [(at, it["seconds"]) for at, it in enumerate(run["steps"], 1)]
    places = {it["place"] for it in run["compilations"]}
    title = (
        f"{run['variant'].capitalize()} compiled {len(run['compilations'])} times in "
        f"the middle of its work; starting took {run['started']:.0f} s"
    )
    return title, [(*it, at in places) for at, it in enumerate(bars, 1)]
