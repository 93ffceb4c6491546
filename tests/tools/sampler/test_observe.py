# SPDX-License-Identifier: Apache-2.0
"""What a call ended with is told, whatever it raised."""

import sys
from unittest.mock import Mock

import pytest

from tools.fork.sampler.observe import observe


@pytest.mark.parametrize(
    ("error", "said"),
    [(AssertionError(), "AssertionError"), (ValueError("no.\nWhy"), "ValueError: no.")],
)
def test_an_error_is_named_with_or_without_words(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    utils = Mock(get_compilation_metrics=list)
    # Without torch, which these tests do without.
    for name in ("torch", "torch._dynamo"):
        monkeypatch.setitem(sys.modules, name, Mock(utils=utils))

    assert observe(Mock(side_effect=error))["error"] == said
