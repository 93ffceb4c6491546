# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import torch

from vllm.platforms import current_platform


@torch.compile(backend=current_platform.simple_compile_backend)
def batched_count_greater_than(x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    ...
    # A single value must not broadcast to every row.
    # instead of: torch._check(x.shape[0] >= 1)
    torch._check(x.shape[0] == values.shape[0])
    # A CPU adds twice as many int32 at a time, and they hold any vocabulary.
    # instead of: return (x >= values).sum(-1)
    return (x >= values).sum(-1, dtype=torch.int32).to(torch.int64)
    ...
