# SPDX-License-Identifier: Apache-2.0
"""Tables for the documents that the measurements write."""

from collections.abc import Iterable, Iterator
from typing import Any


def table(
    head: Iterable[str], rows: Iterable[Iterable[Any]], others: str = "---"
) -> Iterator[str]:
    """Yield the lines of a table.

    Args:
        head: The titles of the columns.
        rows: The cells, row by row.
        others: How all columns but the first are aligned: ``---:`` is to the right.
    """
    titles = list(head)
    for cells in [titles, ["---", *[others] * (len(titles) - 1)], *rows]:
        yield f"| {' | '.join(map(str, cells))} |"
