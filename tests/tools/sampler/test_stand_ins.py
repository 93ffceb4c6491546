# SPDX-License-Identifier: Apache-2.0
"""Sampling modules of a tree load with stand-ins for the rest of vLLM."""

import sys
from pathlib import Path

import pytest

from fake_release import write
from tools.fork.sampler import stand_ins

OP = b"""
from vllm.platforms import current_platform
from vllm.somewhere import Base, decorate

@decorate(current_platform.is_cpu())
def decorated(): pass

class Op(Base):
    device = current_platform.device_type
"""
SAMPLER = b"""
import contextlib
import vllm.v1.sample.ops.topk_topp_sampler as sampling
from vllm.v1.outputs import LogprobsTensors
from vllm.v1.sample.ops.logprobs import Op
from vllm.utils import is_there, sync

def gather(first, second: is_there | None):
    with sync(first_only=True):
        return LogprobsTensors(first, None, selected_token_ranks=second)
"""
PINNED = b"""
from vllm.utils.torch_utils import PIN_MEMORY
from vllm.utils.platform_utils import is_pin_memory_available
import vllm.envs
"""


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_only_the_sampling_is_real(device: str, tmp_path: Path) -> None:
    before = {name for name in sys.modules if name.startswith("vllm")}
    files = {"ops/logprobs.py": OP, "ops/topk_topp_sampler.py": PINNED}
    write(tmp_path / "vllm/v1/sample", {**files, "sampler.py": SAMPLER})

    found = stand_ins.load(tmp_path, device).sampler

    assert found.Op.device == device
    result = found.gather(1, 2)
    assert result == (1, None, 2)
    assert (result.logprob_token_ids, result.selected_token_ranks) == (1, 2)
    # Whether memory is pinned is no stand-in: torch takes none.
    assert found.sampling.PIN_MEMORY is False
    assert found.sampling.is_pin_memory_available() is False
    assert not found.is_there
    assert not found.is_there.in_any_way[0]
    for it in (found.is_there, found.sampling.vllm):
        assert not hasattr(it, "__wrapped__")
    assert {name for name in sys.modules if name.startswith("vllm")} == before
