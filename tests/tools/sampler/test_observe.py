# SPDX-License-Identifier: Apache-2.0
"""What a call ended with and compiled is told, whatever it raised."""

import sys
from types import SimpleNamespace
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
    unknown = dict.fromkeys(("duration_us", "recompile_reason", "fail_type"))
    of_it = {"co_name": "op", "co_filename": "/vllm/build/fork/vllm/v1/b.py"}
    compiled = SimpleNamespace(**of_it, **unknown)
    utils = Mock(get_compilation_metrics=lambda: [compiled])
    # Without torch, which these tests do without.
    for name in ("torch", "torch._dynamo"):
        monkeypatch.setitem(sys.modules, name, Mock(utils=utils))

    found = observe(Mock(side_effect=error))
    assert found["error"] == said
    (it,) = found["compilations"]
    assert (it["function"], it["file"], it["failed"]) == ("op", "vllm/v1/b.py", False)
