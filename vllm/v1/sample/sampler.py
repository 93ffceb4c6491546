# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import torch
import torch.nn as nn

from vllm.config.model import LogprobsMode
from vllm.v1.outputs import LogprobsTensors
from vllm.v1.sample.metadata import SamplingMetadata
from vllm.v1.sample.ops.logprobs import batched_count_greater_than


class Sampler(nn.Module):
    def sample(
        self,
        logits: torch.Tensor,
        sampling_metadata: SamplingMetadata,
        logprobs_mode_override: LogprobsMode | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        ...
        # Unbacked, as in gather_logprobs: compiled sampling (CPU) serves any batch.
        torch._dynamo.decorators.mark_unbacked(logits, 0)

        random_sampled, processed_logprobs = self.topk_topp_sampler(
            logits,
            sampling_metadata.generators,
            sampling_metadata.top_k,
            sampling_metadata.top_p,
        )
        ...

    @staticmethod
    def gather_logprobs(
        logprobs: torch.Tensor,
        num_logprobs: int,
        token_ids: torch.Tensor,
    ) -> LogprobsTensors:
        ...
        # Unbacked, or Dynamo compiles anew for a batch of 0, of 1 and of more. Only
        # here: topk and gather above need no marks. The hint keeps Inductor's split
        # reduction, which a small batch needs to fill a GPU.
        torch._dynamo.decorators.mark_unbacked(logprobs, 0, hint_override=2)
        torch._dynamo.decorators.mark_unbacked(token_logprobs, 0, hint_override=2)
        torch._dynamo.maybe_mark_dynamic(logprobs, 1)

        token_ranks = batched_count_greater_than(logprobs, token_logprobs)
        ...
