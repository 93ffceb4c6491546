# SPDX-License-Identifier: Apache-2.0
"""The model that the trainer trains and the server serves."""

from pathlib import Path

from benchmarks.variants import folder
from tools.fork.testing import hub

# Words enough for the tokenizer's whole vocabulary.
_TEXTS = "docs/**/*.md"


def make(target: Path) -> Path:
    """Return a folder with a small random Llama of float16 weights, made if need be."""
    if not target.exists():
        texts = sorted(folder("stock").glob(_TEXTS))
        target.mkdir()
        hub.make_model(target, "llama", [it.read_text() for it in texts])
    return target
