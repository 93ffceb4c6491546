# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import torch
import torch.nn as nn


class Sampler(nn.Module):
    def gather_specific_token_logprobs(*_: ...):
        ...
        if logprobs.stride(0) != logprobs.size(1):
            logprobs = logprobs.flatten().view(logprobs.shape)
        # instead of: torch._dynamo.decorators.mark_unbacked(logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(logprobs, 0, hint_override=8)
        torch._dynamo.decorators.mark_unbacked(sampled_logprobs, 0)
        torch._dynamo.maybe_mark_dynamic(logprobs, 1)
        token_ranks = batched_count_greater_than(logprobs, sampled_logprobs)
        ...

    def gather_logprobs(*_: ...):
        ...
        # One layout for a single row of a padded vocabulary and for more. The hint
        # keeps Inductor splitting the reduction over the vocabulary.
        if logprobs.stride(0) != logprobs.size(1):
            logprobs = logprobs.flatten().view(logprobs.shape)
        # instead of: torch._dynamo.decorators.mark_unbacked(logprobs, 0)
        torch._dynamo.decorators.mark_unbacked(logprobs, 0, hint_override=8)
        torch._dynamo.decorators.mark_unbacked(token_logprobs, 0)
        torch._dynamo.maybe_mark_dynamic(logprobs, 1)
        token_ranks = batched_count_greater_than(logprobs, token_logprobs)
        ...
