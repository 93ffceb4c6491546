# SPDX-License-Identifier: Apache-2.0
"""Load vLLM's engine, feed it groups of requests, and tell each compilation.

`tools.fork.child` runs this on the vLLM that ``PYTHONPATH`` names.
"""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.fork.child import Json
from tools.fork.sampler.observe import compilations

PROMPT = 6

# A Llama that loads in seconds; only its vocabulary, which sampling works on, is real.
MODEL = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
OPTIONS = {"max_model_len": 64, "max_num_seqs": 16, "seed": 0}


def main(models: list[tuple[Json, list[list[Json]]]]) -> Iterator[Json]:
    """Load an engine per model, all into this process, then generate with each.

    The models are as `tools.fork.engine.generate.run` has them. Logprobs come in
    hexadecimal, so that equal means bit for bit.
    """
    from vllm.platforms import current_platform

    engines = []
    for number, (setup, _) in enumerate(models):
        start = time.perf_counter()
        engines.append(_load(setup))
        yield {
            "model": number,
            "device": current_platform.device_type,
            "seconds": time.perf_counter() - start,
            "compilations": _compilations(engines[-1]),
        }
    for number, (_, groups) in enumerate(models):
        for group in groups:
            yield {"model": number, **_generate(engines[number], group)}


def _load(setup: Json) -> Any:
    from vllm import LLM

    options = {**OPTIONS, **setup}
    config = {**MODEL, "vocab_size": options.pop("vocabulary")}
    with tempfile.TemporaryDirectory() as model:
        Path(model, "config.json").write_text(json.dumps(config))
        return LLM(model, load_format="dummy", skip_tokenizer_init=True, **options)


def _generate(llm: Any, group: list[Json]) -> Json:
    from vllm import SamplingParams

    engine = llm.llm_engine
    requests: list[Any] = [None] * len(group)
    waiting = dict(enumerate(group))
    arrives = [it.pop("arrives", 0) for it in group]
    steps = 0
    start = time.perf_counter()
    while waiting or engine.has_unfinished_requests():
        for row in [it for it in waiting if arrives[it] <= steps]:
            told = {**waiting.pop(row), "detokenize": False}
            prompt = {"prompt_token_ids": [100 + row + at for at in range(PROMPT)]}
            engine.add_request(str(row), prompt, SamplingParams.from_optional(**told))
        for it in engine.step() if engine.has_unfinished_requests() else ():
            requests[int(it.request_id)] = it
        steps += 1
    return {
        "batch": len(group),
        "seconds": time.perf_counter() - start,
        "compilations": _compilations(llm),
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
    """Return what the engine's workers have compiled since this was last asked."""
    # They may be processes of their own.
    return [it for worker in llm.collective_rpc(compilations) for it in worker]


def _exact(positions: Any) -> list[Json]:
    """Return per position, by token, its rank and its logprob in hexadecimal."""
    return [
        {str(token): [it.rank, it.logprob.hex()] for token, it in (row or {}).items()}
        for row in positions or []
    ]
