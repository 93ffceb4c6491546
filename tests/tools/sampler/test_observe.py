# SPDX-License-Identifier: Apache-2.0
"""What a call ended with and compiled is told, whatever it raised."""

import sys
from types import SimpleNamespace

import pytest

from tools.fork.sampler.observe import observe


@pytest.mark.parametrize(
    ("error", "said"),
    [(AssertionError(), "AssertionError"), (ValueError("no.\nWhy"), "ValueError: no.")],
)
def test_an_error_is_named_with_or_without_words(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = SimpleNamespace(
        co_name="op",
        co_filename="/vllm/build/fork/vllm/v1/b.py",
        duration_us=None,
        recompile_reason=None,
        fail_type=None,
    )
    utils = SimpleNamespace(
        clear_compilation_metrics=lambda: None,
        get_compilation_metrics=lambda: [compiled],
    )
    # Without torch, which these tests do without.
    for name in ("torch", "torch._dynamo"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(utils=utils))

    def fail() -> None:
        raise error

    found = observe(fail)
    assert found["error"] == said
    (it,) = found["compilations"]
    assert (it["function"], it["file"], it["failed"]) == ("op", "vllm/v1/b.py", False)
