# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import time

import torch
import torch.nn as nn


class Sampler(nn.Module):
    def __init__(*_: ...):
        ...
        self.use_fp64_gumbel = use_fp64_gumbel
        self._compile_ahead()
        ...

    @torch.inference_mode()
    def _compile_ahead(self) -> None:
        """Compile for the model that is being served, before a request waits for it."""
        vllm_config = get_current_vllm_config_or_none()
        if vllm_config is None or vllm_config.model_config is None:
            return
        model_config = vllm_config.model_config
        if model_config.runner_type == "pooling" or current_platform.is_out_of_tree():
            return
        if not vllm_config.kernel_config.enable_jit_warmup:
            return
        # A model that holds a sampler constructs it under its own dtype.
        if torch.get_default_dtype() != torch.float32:
            return
        stats = torch._dynamo.utils.counters["stats"]
        graphs = stats["unique_graphs"]
        start = time.perf_counter()
        try:
            # The model's own vocabulary: Inductor decides by its size.
            vocab_size = model_config.get_vocab_size()
            logprobs = torch.zeros(2, vocab_size, device=current_platform.device_type)
            self.gather_logprobs(logprobs, 0, logprobs.argmax(dim=-1))
        except Exception as error:
            logger.warning_once(
                "Token ranks could not be compiled, so the first request will try: %s",
                repr(error)[:300],
            )
            return
        if stats["unique_graphs"] > graphs:
            seconds = time.perf_counter() - start
            logger.info_once("Compiling token ranks took %.2f seconds", seconds)

    def greedy_sample(*_: ...):
        ...
        # Nothing to change; but before this was so, random sampling was compiled, too.
        if current_platform.is_cpu():
            return torch.ops._C.greedy_argmax(logits)
        ...

    def sample(*_: ...): ...
