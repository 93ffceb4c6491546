# SPDX-License-Identifier: Apache-2.0
"""Feed groups of requests to vLLM's engine and report each compilation.

Runs as a process of its own, on the vLLM that ``PYTHONPATH`` names. It reads a JSON
object from standard input, ``{"setup": ..., "groups": ...}``, and writes one a line to
standard output; all that vLLM prints goes to standard error.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROMPT = 6

# A Llama that loads in seconds; only its vocabulary, which sampling works on, is real.
MODEL = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
}

Json = dict[str, Any]


def serve(setup: Json, groups: list[list[Json]]) -> Iterator[Json]:
    """Load the engine and generate for one group of requests after the other.

    Args:
        setup: The ``vocabulary`` of the model; the rest is for vLLM's ``LLM``.
        groups: Per request, what to tell SamplingParams, and in ``arrives``, if it does
            not come with the others, after how many of the engine's steps it does.

    Yields:
        ``{"loaded": {"torch", "device", "seconds", "compilations"}}``, then per group
        ``{"group": {"batch", "seconds", "compilations", "times", "outputs"}}``. Times
        say, per request, when each token came, in seconds after the group did. Outputs
        are, per request, its samples and the logprobs of its prompt, in hexadecimal, so
        that equal means bit for bit.
    """
    import torch

    from vllm import LLM
    from vllm.platforms import current_platform

    start = time.perf_counter()
    options = {**setup}
    config = {**MODEL, "vocab_size": options.pop("vocabulary")}
    with tempfile.TemporaryDirectory() as model:
        Path(model, "config.json").write_text(json.dumps(config))
        llm = LLM(
            model,
            load_format="dummy",
            skip_tokenizer_init=True,
            max_model_len=64,
            max_num_seqs=16,
            seed=0,
            **options,
        )
    loaded = {
        "torch": torch.__version__,
        "device": current_platform.device_type,
        "seconds": time.perf_counter() - start,
        "compilations": _compilations(llm),
    }
    yield {"loaded": loaded}
    for group in groups:
        yield {"group": _generate(llm, group)}


def _generate(llm: Any, group: list[Json]) -> Json:
    from vllm import SamplingParams

    engine = llm.llm_engine
    waiting = [(it.get("arrives", 0), row) for row, it in enumerate(group)]
    times: list[list[float]] = [[] for _ in group]
    requests: list[Any] = [None] * len(group)
    steps = 0
    start = time.perf_counter()
    while waiting or engine.has_unfinished_requests():
        for arrives, row in [it for it in waiting if it[0] <= steps]:
            waiting.remove((arrives, row))
            params = {name: it for name, it in group[row].items() if name != "arrives"}
            prompt = {"prompt_token_ids": [100 + row + at for at in range(PROMPT)]}
            params = SamplingParams.from_optional(**params, detokenize=False)
            engine.add_request(str(row), prompt, params)
        for it in engine.step() if engine.has_unfinished_requests() else ():
            times[int(it.request_id)].append(time.perf_counter() - start)
            requests[int(it.request_id)] = it
        steps += 1
    seconds = time.perf_counter() - start
    return {
        "batch": len(group),
        "seconds": seconds,
        "compilations": _compilations(llm),
        "times": times,
        "outputs": [
            {
                "samples": [
                    [list(it.token_ids), _exact(it.logprobs)] for it in request.outputs
                ],
                "prompt_logprobs": _exact(request.prompt_logprobs),
            }
            for request in requests
        ],
    }


def _compilations(llm: Any) -> list[Json]:
    """Return what the engine has compiled since this was last asked."""
    # Some releases have a worker in a process of its own on a CPU.
    (compiled,) = llm.collective_rpc(compilations)
    return list(compiled)


def compilations(_: Any = None) -> list[Json]:
    """Return what this process has compiled since this was last asked."""
    from torch._dynamo import utils

    import vllm

    tree = Path(vllm.__file__).parents[1]
    metrics = utils.get_compilation_metrics()
    utils.clear_compilation_metrics()
    return [
        {
            "function": it.co_name,
            "file": (it.co_filename or "").removeprefix(f"{tree}/"),
            "seconds": (it.duration_us or 0) / 1e6,
            "reason": it.recompile_reason,
        }
        for it in metrics
    ]


def _exact(positions: Any) -> list[Json]:
    """Return per position, by token, its rank and its logprob in hexadecimal."""
    return [
        {str(token): [it.rank, it.logprob.hex()] for token, it in (row or {}).items()}
        for row in positions or []
    ]


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for result in serve(**json.load(sys.stdin)):
        print(json.dumps(result), file=results)
