# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
from unittest.mock import Mock

import pytest
import torch

from vllm.config import set_current_vllm_config
from vllm.v1.sample import sampler as sampler_module
from vllm.v1.sample.sampler import Sampler

VOCAB_SIZE = 5003


# Theirs stays; what follows is what it does not look at.
def test_gather_logprobs_no_recompile(*_: ...): ...


@pytest.fixture
def compilations():
    """Tells how many graphs were compiled since the test began."""
    torch._dynamo.reset()
    stats = torch._dynamo.utils.counters["stats"]
    before = stats["unique_graphs"]
    yield lambda: stats["unique_graphs"] - before
    torch._dynamo.reset()


@pytest.fixture(params=["own rows", "padded", "padded and cast"])
def make_logprobs(request):
    """Makes rows as a model does: if its vocabulary is padded, each is part of a wider
    one. A cast gives all but a single row a stride of their own."""
    padding = 0 if request.param == "own rows" else 13
    dtype = torch.bfloat16 if request.param == "padded and cast" else torch.float32

    @torch.inference_mode()
    def make(batch_size, vocab_size=VOCAB_SIZE):
        shape = batch_size, vocab_size + padding
        wider = torch.randn(shape, dtype=dtype, device=DEVICE)
        return wider[:, :vocab_size].float()

    return make


@torch.inference_mode()
def check_ranks(gather, logprobs, requested):
    token_ids = torch.arange(len(logprobs), device=DEVICE)
    values = logprobs.gather(-1, token_ids.unsqueeze(-1))
    expected = (logprobs >= values).sum(-1)

    ranks = gather(logprobs, requested, token_ids)[2]

    assert torch.equal(ranks, expected)


def construct_sampler(runner_type="generate"):
    """Construct it as a worker does, for a model that is about to be served."""
    model_config = Mock(runner_type=runner_type)
    # Inductor has other code for more than 4096.
    model_config.get_vocab_size.return_value = VOCAB_SIZE
    with set_current_vllm_config(Mock(model_config=model_config)):
        return Sampler()


def test_nothing_compiles_once_a_model_is_served(compilations, make_logprobs):
    random_state = torch.get_rng_state()
    sampler = construct_sampler()
    assert torch.equal(torch.get_rng_state(), random_state)
    ahead = compilations()
    assert ahead >= 1

    for batch_size in (1, 2, 8, 1):
        metadata = Mock(
            all_greedy=False,
            all_random=True,
            temperature=torch.ones(batch_size, device=DEVICE),
            generators={},
            top_k=None,
            top_p=None,
            logitsprocs=Mock(argmax_invariant=()),
        )
        with torch.inference_mode():
            sampler.sample(make_logprobs(batch_size), metadata)
        check_ranks(sampler.gather_logprobs, make_logprobs(batch_size), 3)

    assert compilations() == ahead


@pytest.mark.parametrize("batch_sizes", [(1, 2, 8), (2, 1, 0), (0, 1, 2)], ids=str)
def test_one_compilation_for_all(compilations, make_logprobs, batch_sizes):
    for batch_size in batch_sizes:
        for vocab_size in (32, 50):
            logprobs = make_logprobs(batch_size, vocab_size)
            check_ranks(Sampler.gather_logprobs, logprobs, 3)

    assert compilations() == 1


def test_nothing_compiles_ahead_where_nothing_samples(compilations, monkeypatch):
    Sampler()
    construct_sampler("pooling")
    platform = Mock(device_type=DEVICE)
    platform.is_cpu.return_value = platform.is_cuda_alike.return_value = False
    monkeypatch.setattr(sampler_module, "current_platform", platform)
    construct_sampler()

    assert compilations() == 0


def test_a_compilation_that_fails_ahead_is_a_warning(monkeypatch):
    logger = Mock()
    monkeypatch.setattr(sampler_module, "logger", logger)
    construct_sampler()
    logger.info.assert_called_once()
    logger.warning.assert_not_called()

    fails = Mock(side_effect=RuntimeError)
    monkeypatch.setattr(sampler_module, "batched_count_greater_than", fails)
    construct_sampler()
    logger.info.assert_called_once()
    logger.warning.assert_called_once()
