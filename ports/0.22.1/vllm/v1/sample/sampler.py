# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import torch
import torch.nn as nn

from vllm.config.model import LogprobsMode
from vllm.v1.outputs import LogprobsTensors
from vllm.v1.sample.metadata import SamplingMetadata
from vllm.v1.sample.ops.logprobs import batched_count_greater_than


class Sampler(nn.Module):
    def gather_specific_token_logprobs(
        self,
        logprobs: torch.Tensor,
        logprob_token_ids: dict[int, list[int]],
        sampled: torch.Tensor,
    ) -> LogprobsTensors | None:
        ...
        # instead of: torch._dynamo.decorators.mark_unbacked(logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(logprobs, 0, hint_override=8)
        # instead of: torch._dynamo.decorators.mark_unbacked(sampled_logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(sampled_logprobs, 0, hint_override=8)
        torch._dynamo.maybe_mark_dynamic(logprobs, 1)
        token_ranks = batched_count_greater_than(logprobs, sampled_logprobs)
        ...

    # One graph of the random sampling that the CPU compiles, for 0, 1 and more rows:
    # sizes 0 and 1 are not special. Unlike unbacked ones, they are still known, so that
    # Inductor fuses as before.
    @torch.fx.experimental._config.patch(backed_size_oblivious=True)
    def sample(
        self,
        logits: torch.Tensor,
        sampling_metadata: SamplingMetadata,
        logprobs_mode_override: LogprobsMode | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        ...
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
        # The hint keeps Inductor splitting the reduction over the vocabulary, and a
        # second vocabulary is to find the same graph.
        # instead of: torch._dynamo.decorators.mark_unbacked(logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(logprobs, 0, hint_override=8)
        # instead of: torch._dynamo.decorators.mark_unbacked(token_logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(token_logprobs, 0, hint_override=8)
        torch._dynamo.maybe_mark_dynamic(logprobs, 1)
        token_ranks = batched_count_greater_than(logprobs, token_logprobs)
        ...
