# SPDX-License-Identifier: Apache-2.0
"""Requests of all kinds at once, through the real engine: nothing compiles."""

import os
from pathlib import Path

import pytest

import mixes
from tools.fork.bootstrap import ROOT
from tools.fork.engine import serve
from tools.fork.release import described
from tools.fork.source.tree import trees

FORK = trees(described(os.environ.get("FORK_RELEASE"))).fork
COUNT = 40
# vocabulary, type, logprobs mode, whether vLLM is told not to compile the model
SETUPS = (
    (3000, "float32", "raw_logits", True),
    (4097, "bfloat16", "processed_logits", True),
    (32001, "bfloat16", "raw_logprobs", False),
    (50257, "float32", "processed_logprobs", True),
    (151936, "bfloat16", "raw_logits", True),
)


@pytest.mark.parametrize("setup", SETUPS, ids=lambda it: " ".join(map(str, it)))
def test_nothing_of_sampling_compiles(
    setup: tuple[int, str, str, bool], tmp_path: Path
) -> None:
    vocabulary, dtype, mode, eager = setup
    options = {"vocabulary": vocabulary, "dtype": dtype, "logprobs_mode": mode}
    options |= {"enforce_eager": eager, "max_logprobs": -1}
    asked = mixes.groups(COUNT, vocabulary, seed=vocabulary)

    cache = ROOT / "build/cache/engine"
    run = serve.run("fork", FORK, options, asked, tmp_path, cache, quiet=True)

    assert list(serve.of_sampling(run["groups"])) == []
    assert list(serve.of_sampling([run["loaded"]]))
    assert [it["batch"] for it in run["groups"]] == [len(it) for it in asked]
