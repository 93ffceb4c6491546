# SPDX-License-Identifier: Apache-2.0
"""Documents and pictures must be those of the figures in the repository."""

from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tools.fork import documents

BEFORE = "Before.\n<!-- figures: page -->\n"
AFTER = "<!-- end -->\nAfter 1 s.\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose one document is that of its figures."""
    (tmp_path / "templates").mkdir()
    found = "figures.waits.results | map(attribute='s') | median"
    template = f"It takes {{{{ {found} }}}} {{{{ figures.waits.unit }}}}.\n"
    (tmp_path / "templates/page.md.jinja").write_text(template)
    content = {"unit": "s", "results": [{"s": 1}, {"s": 2.5}, {"s": 3}]}
    documents.write(tmp_path / "docs/figures/waits.json", content)
    (tmp_path / "docs/page.md").write_text(f"{BEFORE}It takes 2.5 s.\n{AFTER}")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("docs/page.md", "2.5", "2.4"),
        ("docs/figures/waits.json", "2.5", "2"),
        ("templates/page.md.jinja", "It takes", "It is"),
    ],
)
def test_a_document_of_other_figures_is_a_problem_once(
    file: str, old: str, new: str, root: Path
) -> None:
    text = (root / file).read_text()
    (root / file).write_text(text.replace(old, new))

    (problem,) = documents.update(root)

    assert problem.startswith("page.md differed from its figures")
    assert [*documents.update(root)] == []
    written = (root / "docs/page.md").read_text()
    assert written.startswith(BEFORE)
    assert written.endswith(AFTER)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("docs/page.md", BEFORE, "No document has the lines `<!-- figures: page -->`"),
        ("docs/figures/waits.json", "unit", "page.md cannot be rendered from docs/fi"),
    ],
)
def test_a_block_or_figure_that_was_taken_out_is_a_problem(
    file: str, text: str, problem: str, root: Path
) -> None:
    (root / file).write_text((root / file).read_text().replace(text, ""))

    (found,) = documents.update(root)

    assert found.startswith(problem)


@pytest.mark.parametrize("change", ["", "figures", "metadata"])
def test_a_picture_is_tied_to_its_figures(change: str, root: Path) -> None:
    figures = root / "docs/figures/waits.json"
    said = PngInfo()
    for key, text in documents.tie(figures).items():
        said.add_text(key, "" if change == "metadata" else text)
    Image.new("RGB", (1, 1)).save(root / "docs/waits.png", pnginfo=said)
    if change == "figures":
        figures.write_text(figures.read_text() + "\n")

    problems = [*documents.update(root)]
    expected = "waits.png was not drawn from the figures"
    assert [it[: len(expected)] for it in problems] == [expected] * bool(change)


def test_figures_have_a_line_for_each_result(root: Path) -> None:
    lines = (root / "docs/figures/waits.json").read_text().splitlines()

    assert lines[2:-2] == ['"results": [', '{"s": 1},', '{"s": 2.5},', '{"s": 3}']
