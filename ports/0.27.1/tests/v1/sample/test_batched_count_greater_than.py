# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
from unittest.mock import Mock

import torch

from vllm.config import set_current_vllm_config
from vllm.v1.sample import sampler as sampler_module
from vllm.v1.sample.sampler import Sampler


def construct_sampler(dtype=torch.float32, runner_type="generate", warmup=True):
    """Construct it as a worker does, for a model that is about to be served."""
    model_config = Mock(dtype=dtype, runner_type=runner_type)
    model_config.get_vocab_size.return_value = VOCAB_SIZE
    config = Mock(model_config=model_config)
    config.kernel_config.enable_jit_warmup = warmup
    with set_current_vllm_config(config):
        return Sampler()


def test_nothing_compiles_ahead_where_nothing_samples(num_graphs, monkeypatch):
    Sampler()
    construct_sampler(runner_type="pooling")
    construct_sampler(warmup=False)
    platform = Mock(device_type=DEVICE)
    platform.is_out_of_tree.return_value = True
    monkeypatch.setattr(sampler_module, "current_platform", platform)
    construct_sampler()

    assert num_graphs() == 0
