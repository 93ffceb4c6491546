"""Feed groups of requests to vLLM's engine and report each compilation.

Runs as a process of its own, on the vLLM that ``PYTHONPATH`` names. It reads the groups
as JSON from standard input and writes a JSON object a line to standard output; all that
vLLM prints goes to standard error.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VOCABULARY = 151936
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
    "vocab_size": VOCABULARY,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float32",
}

Json = dict[str, Any]


def serve(groups: list[list[Json]]) -> Iterator[Json]:
    """Load the engine and generate for one group of requests after the other.

    Args:
        groups: Per request, what to tell SamplingParams.

    Yields:
        ``{"loaded": {"torch", "device", "seconds"}}``, then per group ``{"group":
        {"batch", "seconds", "compilations", "times", "outputs"}}``. Times say, per
        request, when each token came, in seconds after the group did. Logprobs are
        hexadecimal, so that equal means bit for bit.
    """
    import torch

    from vllm import LLM
    from vllm.platforms import current_platform

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as model:
        Path(model, "config.json").write_text(json.dumps(MODEL))
        llm = LLM(
            model,
            load_format="dummy",
            skip_tokenizer_init=True,
            enforce_eager=True,
            max_model_len=64,
            max_num_seqs=16,
            dtype="float32",
            seed=0,
        )
    loaded = {
        "torch": torch.__version__,
        "device": current_platform.device_type,
        "seconds": time.perf_counter() - start,
    }
    yield {"loaded": loaded}
    for group in groups:
        yield {"group": _generate(llm, group)}


def _generate(llm: Any, group: list[Json]) -> Json:
    from torch._dynamo import utils

    from vllm import SamplingParams

    prompts = [
        {"prompt_token_ids": [100 + row + place for place in range(PROMPT)]}
        for row in range(len(group))
    ]
    params = [SamplingParams(**it, detokenize=False) for it in group]
    utils.clear_compilation_metrics()
    start = time.perf_counter()
    engine = llm.llm_engine
    for row, prompt in enumerate(prompts):
        engine.add_request(str(row), prompt, params[row])
    times: list[list[float]] = [[] for _ in group]
    requests: list[Any] = [None] * len(group)
    while engine.has_unfinished_requests():
        step = engine.step()
        now = time.perf_counter() - start
        for it in step:
            times[int(it.request_id)].append(now)
            requests[int(it.request_id)] = it
    seconds = time.perf_counter() - start
    compilations = [_compilation(it) for it in utils.get_compilation_metrics()]
    outputs = [
        {
            "tokens": list(it.outputs[0].token_ids),
            "logprobs": _exact(it.outputs[0].logprobs),
            "prompt_logprobs": _exact(it.prompt_logprobs),
        }
        for it in requests
    ]
    return {
        "batch": len(group),
        "seconds": seconds,
        "compilations": compilations,
        "times": times,
        "outputs": outputs,
    }


def _compilation(metrics: Any) -> Json:
    import vllm

    tree = Path(vllm.__file__).parents[1]
    return {
        "function": metrics.co_name,
        "file": (metrics.co_filename or "").removeprefix(f"{tree}/"),
        "seconds": (metrics.duration_us or 0) / 1e6,
        "reason": metrics.recompile_reason,
    }


def _exact(positions: Any) -> list[Json]:
    """Return per position, by token, its rank and its logprob in hexadecimal."""
    return [
        {str(token): [it.rank, it.logprob.hex()] for token, it in (row or {}).items()}
        for row in positions or []
    ]


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for result in serve(json.load(sys.stdin)):
        print(json.dumps(result), file=results)
