# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
import torch

from vllm.platforms import current_platform


@torch.compile(backend=current_platform.simple_compile_backend)
def batched_count_greater_than(x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Counts, in each row of x, the entries greater than or equal to the row's value:
    a token's rank, which counts the token itself. Compiled, so that no temporary is
    as large as x.

    Args:
        x: Shape (batch, vocabulary).
        values: Shape (batch, 1).

    Returns:
        int64 counts, shape (batch,).

    """
    # A single value must not broadcast to every row.
    torch._check(x.shape[0] == values.shape[0])
    return (x >= values).sum(-1)
