# SPDX-License-Identifier: Apache-2.0
"""Several engines in one process, each fed requests of all kinds: nothing compiles."""

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tools.fork.engine import generate

COUNT = 40
MODELS = ((3000, "float32"), (50257, "float32"), (151936, "bfloat16"))
# name: of each engine the vocabulary, the type and the mode of logprobs
PROCESSES = {
    "raw_logprobs": [(*it, "raw_logprobs") for it in MODELS],
    "raw_logits": [(*it, "raw_logits") for it in MODELS],
    "processed": [
        (4097, "bfloat16", "processed_logits"),
        (32001, "float32", "processed_logprobs"),
    ],
}

Json = dict[str, Any]


def groups(vocabulary: int) -> list[list[Json]]:
    """Draw groups of requests, alone or together, that come and end at any time."""
    draw = random.Random(vocabulary)
    sizes = (1, 1, 1, 2, 2, 3, 5, 8, 12)
    return [
        [dict(request(draw, vocabulary)) for _ in range(draw.choice(sizes))]
        for _ in range(COUNT)
    ]


def request(draw: random.Random, vocabulary: int) -> Iterator[tuple[str, Any]]:
    """Yield some of the parameters of a request, and after how many steps it comes."""
    temperature = draw.choice((0.0, 0.0, 0.5, 1.0, 1.0, 1.7))
    yield "temperature", temperature
    yield "max_tokens", draw.randint(1, 6)
    yield "ignore_eos", True

    def token() -> int:
        return draw.randrange(vocabulary)

    chances: dict[str, tuple[float, Callable[[], Any]]] = {
        "arrives": (0.5, lambda: draw.randint(1, 6)),
        # -1: all of them, in no order.
        "logprobs": (0.8, lambda: draw.choice((0, 0, 1, 1, 1, 5, 5, 5, 20, -1))),
        "prompt_logprobs": (0.2, lambda: draw.choice((0, 3))),
        "seed": (0.3, lambda: draw.randrange(1000)),
        "n": (0.2 if temperature else 0, lambda: draw.choice((2, 3))),
        "top_k": (0.25, lambda: draw.choice((1, 5, 50, vocabulary - 1))),
        "top_p": (0.25, lambda: draw.choice((0.1, 0.9, 0.99))),
        "min_p": (0.2, lambda: draw.choice((0.05, 0.5))),
        "presence_penalty": (0.2, lambda: draw.choice((-1.0, 0.5))),
        "frequency_penalty": (0.2, lambda: draw.choice((-1.0, 0.5))),
        "repetition_penalty": (0.2, lambda: draw.choice((0.8, 1.3))),
        "logit_bias": (0.2, lambda: {str(token()): draw.choice((-5.0, 5.0))}),
        "allowed_token_ids": (0.15, lambda: [token() for _ in range(30)]),
        "min_tokens": (0.15, lambda: 1),
        "stop_token_ids": (0.15, lambda: [token()]),
    }
    for name, (chance, value) in chances.items():
        if draw.random() < chance:
            yield name, value()


@pytest.mark.parametrize("name", PROCESSES)
def test_nothing_of_sampling_compiles(
    name: str, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Bound as vLLM chooses, a second engine changes the number of threads of a process,
    # on which Dynamo guards; here all engines are loaded before the first one serves.
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", cores)
    names = ("vocabulary", "dtype", "logprobs_mode")
    models = [
        ({**dict(zip(names, it, strict=True)), "max_logprobs": -1}, groups(it[0]))
        for it in PROCESSES[name]
    ]

    runs = engine("fork", models)

    for (_, asked), run in zip(models, runs, strict=True):
        assert not generate.of_sampling(run["steps"])
        assert [it["batch"] for it in run["steps"]] == [len(it) for it in asked]
    assert generate.of_sampling([runs[0]["loaded"]])
