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
        if vllm_config is None or vllm_config.model_config is None:
            return
        model_config = vllm_config.model_config
        if model_config.runner_type == "pooling" or current_platform.is_out_of_tree():
            return
        stats = torch._dynamo.utils.counters["stats"]
        graphs = stats["unique_graphs"]
        start = time.perf_counter()
        try:
            # The model's own vocabulary: Inductor decides by its size.
            vocab_size = model_config.get_vocab_size()
            logits = torch.zeros(2, vocab_size, device=current_platform.device_type)
            if current_platform.is_cpu():
                # Random sampling has a graph for one row and one for more. Rows of a
                # padded vocabulary have another where no cast makes them contiguous.
                batches = [logits[:1], logits]
                if model_config.dtype == torch.float32:
                    batches.append(nn.functional.pad(logits, (0, 1))[:, :-1])
                for batch in batches:
                    self.topk_topp_sampler(batch, {}, None, None)
            # Last, because it leaves its marks on the logits.
            self.gather_logprobs(logits, 0, logits.argmax(dim=-1))
        except Exception as error:
            logger.warning_once(
                "The sampler could not be compiled, so the first request will try: %s",
                repr(error)[:300],
            )
            return
        if stats["unique_graphs"] > graphs:
            seconds = time.perf_counter() - start
            logger.info_once("Compiling the sampler took %.2f seconds", seconds)

    def sample(*_: ...):
        ...
        # A single row of a padded vocabulary keeps the padded stride, also if copied or
        # cast, and would have a graph of its own. A view has the stride of its size.
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
        # One graph for 0, 1 and more rows: a padded row gets the stride of its size,
        # and Dynamo does not specialize on an unbacked batch.
        if logprobs.stride(0) != logprobs.size(1):
            logprobs = logprobs.flatten().view(logprobs.shape)
        if not torch.compiler.is_compiling():
            torch._dynamo.decorators.mark_unbacked(logprobs, 0)
            torch._dynamo.decorators.mark_unbacked(token_logprobs, 0)

        token_ranks = batched_count_greater_than(logprobs, token_logprobs)
        ...
