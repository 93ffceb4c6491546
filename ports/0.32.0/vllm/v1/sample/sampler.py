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
        model_config = vllm_config.model_config if vllm_config else None
        if model_config is None or model_config.runner_type == "pooling":
            return
        if not current_platform.is_cpu() and not current_platform.is_cuda_alike():
            return
        start = time.perf_counter()
        try:
            shape = 2, model_config.get_vocab_size()
            device = current_platform.device_type
            logprobs = torch.zeros(shape, dtype=torch.float32, device=device)
            self.gather_logprobs(logprobs, 0, logprobs.argmax(dim=-1))
        except Exception:
            logger.warning("Could not compile token ranks ahead", exc_info=True)
            return
        logger.info(
            "Compiling token ranks ahead took %.2f seconds", time.perf_counter() - start
        )

    def greedy_sample(*_: ...):
        ...
        # Nothing to change; but before this was so, random sampling was compiled, too.
        if current_platform.is_cpu():
            return torch.ops._C.greedy_argmax(logits)
        ...

    def sample(*_: ...): ...

    def gather_specific_token_logprobs(*_: ...):
        ...
        if logprobs.stride(0) != logprobs.size(1):
            logprobs = logprobs.flatten().view(logprobs.shape)
        # instead of: torch._dynamo.decorators.mark_unbacked(logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(logprobs, 0, hint_override=8)
        # instead of: torch._dynamo.decorators.mark_unbacked(sampled_logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(sampled_logprobs, 0, hint_override=8)
        torch._dynamo.maybe_mark_dynamic(logprobs, 1)
        token_ranks = batched_count_greater_than(logprobs, sampled_logprobs)
        ...

    def gather_logprobs(*_: ...):
        ...
        # One layout for a single row of a padded vocabulary and for more; and a hint
        # keeps Inductor splitting the reduction over the vocabulary.
        if logprobs.stride(0) != logprobs.size(1):
            logprobs = logprobs.flatten().view(logprobs.shape)
        # instead of: torch._dynamo.decorators.mark_unbacked(logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(logprobs, 0, hint_override=8)
        # instead of: torch._dynamo.decorators.mark_unbacked(token_logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(token_logprobs, 0, hint_override=8)
        torch._dynamo.maybe_mark_dynamic(logprobs, 1)
        token_ranks = batched_count_greater_than(logprobs, token_logprobs)
        ...
