# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import torch
import torch.nn as nn


class Sampler(nn.Module):
    def gather_logprobs(*_: ...):
        ...
        token_logprobs = logprobs.gather(-1, token_ids)
        # A single row of a padded vocabulary keeps the padded stride, also if copied or
        # cast, and would have a graph of its own.
        if logprobs.stride(0) != logprobs.size(1):
            logprobs = logprobs.flatten().view(logprobs.shape)
        ...
        torch._dynamo.decorators.mark_unbacked(logprobs, 0)
        ...
