# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import time

import torch
import torch.nn as nn

from vllm.config import get_current_vllm_config_or_none
from vllm.logger import init_logger
from vllm.platforms import current_platform

logger = init_logger(__name__)


class Sampler(nn.Module):
    def __init__(*_: ...):
        ...
        self.logprobs_mode = logprobs_mode
        self._compile_ahead()
        ...

    @torch.inference_mode()
    def _compile_ahead(self) -> None:
        """Compile for the model that is being served, before a request waits for it."""
        vllm_config = get_current_vllm_config_or_none()
        model_config = vllm_config.model_config if vllm_config else None
        if model_config is None or model_config.runner_type == "pooling":
            return
        is_cpu = current_platform.is_cpu()
        if not is_cpu and not current_platform.is_cuda_alike():
            return
        start = time.perf_counter()
        try:
            # The model's own vocabulary: Inductor decides by its size.
            shape = 2, model_config.get_vocab_size()
            device = current_platform.device_type
            logits = torch.zeros(shape, dtype=torch.float32, device=device)
            if is_cpu:
                # Graphs of their own, which draw from torch's generator: one row, more,
                # and more of a padded vocabulary where no cast makes them contiguous.
                padded = nn.functional.pad(logits, (0, 1))[:, :-1]
                with torch.random.fork_rng(devices=()):
                    for rows in (logits[:1], logits, padded):
                        self.topk_topp_sampler(rows, {}, None, None)
            # Last, for it leaves its marks on the logits.
            self.gather_logprobs(logits, 0, logits.argmax(dim=-1))
        except Exception:
            logger.warning("Could not compile the sampler ahead", exc_info=True)
            return
        logger.info(
            "Compiling %s ahead took %.2f seconds",
            "random sampling and token ranks" if is_cpu else "token ranks",
            time.perf_counter() - start,
        )

    def sample(*_: ...):
        ...
        # A single row of a padded vocabulary keeps the padded stride, also if copied or
        # cast, and would be a compilation of its own. A view has that of its size.
        if logits.size(0) == 1 and logits.stride(0) != logits.size(1):
            logits = logits.view(logits.shape)

        random_sampled, processed_logprobs = self.topk_topp_sampler(
            logits,
            sampling_metadata.generators,
            sampling_metadata.top_k,
            sampling_metadata.top_p,
        )
        ...

    def gather_logprobs(*_: ...):
        ...
        # One layout, and a batch that Dynamo may not look at (after topk and gather,
        # which would): one graph for 0, 1 and more rows.
        if logprobs.stride(0) != logprobs.size(1):
            logprobs = logprobs.flatten().view(logprobs.shape)
        torch._dynamo.decorators.mark_unbacked(logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(token_logprobs, 0)
        torch._dynamo.maybe_mark_dynamic(logprobs, 1)

        token_ranks = batched_count_greater_than(logprobs, token_logprobs)
        ...
