# SPDX-License-Identifier: Apache-2.0
"""Render the documents from the figures in ``docs/figures``, and hold them to these.

In a document, what stands between ``<!-- figures: NAME -->`` and ``<!-- end -->`` is
``templates/NAME.md.jinja``, rendered with the content of each JSON file in ``figures``.
The metadata of a picture name the JSON that it was drawn from, with its digest. As a
command, this is the hook that `make lint` runs; it needs jinja2 and pillow alone.
"""

import hashlib
import json
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.fork.bootstrap import ROOT

FIGURES, TEMPLATES = "docs/figures", "templates"
_BLOCK = re.compile(r"(<!-- figures: (\S+) -->\n).*?(<!-- end -->\n)", re.S)
_TIE = "Figures"  # the key in a picture's metadata

Json = dict[str, Any]


def render(template: Path, data: Json) -> str:
    """Return a Jinja2 template, rendered; a name that ``data`` lacks is an error."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["median"] = statistics.median
    return str(environment.get_template(template.name).render(data))


def load(folder: Path) -> Json:
    """Return the content of each JSON file of a folder, by its name."""
    files = sorted(folder.glob("*.json"))
    return {it.stem: json.loads(it.read_text("utf-8")) for it in files}


def write(path: Path, content: Json) -> None:
    """Write figures, a line for each of their results, so that a diff can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for key, value in content.items():
        text = json.dumps(value)
        if value and isinstance(value, list):
            text = "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
        lines.append(f"{json.dumps(key)}: {text}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def tie(figures: Path) -> dict[str, str]:
    """Return the metadata of a picture that was drawn from a JSON file."""
    digest = hashlib.sha256(figures.read_bytes()).hexdigest()
    return {_TIE: f"{figures.name} {digest}"}


def update(root: Path = ROOT) -> Iterator[str]:
    """Write anew each document that differs from its figures; yield what is wrong."""
    import jinja2
    from PIL import Image

    data = {"figures": load(root / FIGURES)}
    unused = {it.name for it in root.glob(f"{TEMPLATES}/*.md.jinja")}

    def rendered(block: re.Match[str]) -> str:
        name = f"{block[2]}.md.jinja"
        unused.discard(name)
        return f"{block[1]}{render(root / TEMPLATES / name, data)}{block[3]}"

    for document in sorted([*root.glob("*.md"), *root.glob("docs/*.md")]):
        text = document.read_text("utf-8")
        try:
            new = _BLOCK.sub(rendered, text)
        except jinja2.TemplateError as error:
            yield f"{document.name} cannot be rendered from {FIGURES}: {error}."
            continue
        if new != text:
            document.write_text(new, "utf-8")
            yield f"{document.name} differed from its figures and was written anew."
    for name in sorted(unused):
        block = f"<!-- figures: {name.removesuffix('.md.jinja')} -->"
        yield f"No document has the lines `{block}` and `<!-- end -->`."
    for path in sorted(root.glob("docs/*.png")):
        with Image.open(path) as picture:
            tied = str(picture.info.get(_TIE, ""))
        figures = root / FIGURES / tied.partition(" ")[0]
        if not figures.is_file() or tie(figures) != {_TIE: tied}:
            yield (
                f"{path.name} was not drawn from the figures in {FIGURES}; draw it "
                "anew: .venv/bin/python -m benchmarks report"
            )


if __name__ == "__main__":
    sys.exit("\n".join(update()) or 0)
