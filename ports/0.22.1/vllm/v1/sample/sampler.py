# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import torch
import torch.nn as nn


class Sampler(nn.Module):
    def gather_specific_token_logprobs(*_: ...):
        ...
        if logprobs.stride(0) != logprobs.size(1):
            logprobs = logprobs.flatten().view(logprobs.shape)
        torch._dynamo.decorators.mark_unbacked(logprobs, 0)
        ...
