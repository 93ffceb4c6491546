# SPDX-License-Identifier: Apache-2.0
"""Several engines in one process, each fed requests of all kinds: nothing compiles."""

from typing import Any

import pytest

import mixes
from tools.fork.engine import generate

COUNT = 40
# name: of each engine the vocabulary, the type and the mode of logprobs
PROCESSES = {
    mode: [
        (3000, "float32", mode),
        (50257, "float32", mode),
        (151936, "bfloat16", mode),
    ]
    for mode in ("raw_logprobs", "raw_logits")
} | {
    "processed": [
        (4097, "bfloat16", "processed_logits"),
        (32001, "float32", "processed_logprobs"),
    ]
}


@pytest.mark.parametrize("name", PROCESSES)
def test_nothing_of_sampling_compiles(
    name: str, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Bound to cores, a second engine changes the number of threads that a process has,
    # on which Dynamo guards; here all engines are loaded before the first one serves.
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    models = [
        (
            {
                "vocabulary": vocabulary,
                "dtype": dtype,
                "logprobs_mode": mode,
                "max_logprobs": -1,
            },
            mixes.groups(COUNT, vocabulary, seed=vocabulary),
        )
        for vocabulary, dtype, mode in PROCESSES[name]
    ]

    runs = engine("fork", models)

    for (_, groups), run in zip(models, runs, strict=True):
        assert not generate.of_sampling(run["steps"])
        assert [it["batch"] for it in run["steps"]] == [len(it) for it in groups]
    assert generate.of_sampling([runs[0]["loaded"]])
