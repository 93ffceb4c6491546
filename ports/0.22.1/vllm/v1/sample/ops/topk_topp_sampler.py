# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import torch
import torch.nn as nn


class TopKTopPSampler(nn.Module):
    def forward_cpu(
        self,
        logits: torch.Tensor,
        generators: dict[int, torch.Generator],
        k: torch.Tensor | None,
        p: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        ...
        # Nothing to change; but where this is gone, these sources do not fit, for
        # `Sampler.sample` is changed on its account.
        return compiled_random_sample(logits), logits_to_return
        ...
