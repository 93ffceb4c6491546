"""Run one rollout through vLLM's engine and report each compilation.

Started by the demo as a process of its own, once per source tree. The results go to
standard output, a JSON object a line; all that vLLM prints goes to standard error.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BATCHES = (1, 1, 2, 2, 3, 1, 8, 8)
VOCABULARY = 151936
TOKENS = 4
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


def rollout() -> Iterator[dict[str, Any]]:
    """Load the engine and feed it the batches.

    Yields:
        ``{"loaded": {...}}`` with release, torch, device and seconds; per batch
        ``{"step": {"batch", "seconds", "compilations"}}``; at last ``{"greedy": ...}``
        with tokens, and per token the ranks and logprobs of the best, bit for bit.
    """
    import torch

    from vllm import LLM, SamplingParams, __version__
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
    yield {
        "loaded": {
            "release": __version__,
            "torch": torch.__version__,
            "device": current_platform.device_type,
            "seconds": time.perf_counter() - start,
        }
    }
    random = SamplingParams(
        temperature=1.0,
        logprobs=5,
        max_tokens=TOKENS,
        ignore_eos=True,
        detokenize=False,
    )
    for batch in BATCHES:
        seconds, compilations, _ = _generate(llm, batch, random)
        yield {
            "step": {"batch": batch, "seconds": seconds, "compilations": compilations}
        }
    greedy = random.clone()
    greedy.temperature = 0.0
    _, compilations, outputs = _generate(llm, max(BATCHES), greedy)
    yield {"greedy": {"outputs": outputs, "compilations": compilations}}


def _generate(llm: Any, batch: int, params: Any) -> tuple[float, list[Any], list[Any]]:
    """Sample one batch; return seconds, compilations and the tokens with logprobs."""
    from torch._dynamo import utils

    import vllm

    prompts = [
        {"prompt_token_ids": [100 + row + place for place in range(PROMPT)]}
        for row in range(batch)
    ]
    utils.clear_compilation_metrics()
    start = time.perf_counter()
    requests = llm.generate(prompts, params, use_tqdm=False)
    seconds = time.perf_counter() - start
    tree = Path(vllm.__file__).parents[1]
    compilations = [
        {
            "function": metrics.co_name,
            "file": (metrics.co_filename or "").removeprefix(f"{tree}/"),
            "seconds": (metrics.duration_us or 0) / 1e6,
            "reason": metrics.recompile_reason,
        }
        for metrics in utils.get_compilation_metrics()
    ]
    outputs = [
        [
            {str(token): [best.rank, best.logprob.hex()] for token, best in row.items()}
            for row in request.outputs[0].logprobs
        ]
        for request in requests
    ]
    return seconds, compilations, outputs


if __name__ == "__main__":
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for result in rollout():
        print(json.dumps(result), file=results)
    sys.stdout.flush()
