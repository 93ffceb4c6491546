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
def num_graphs():
    """Tells how many graphs were compiled since the test began."""
    if torch._dynamo.config.disable:
        pytest.skip("torch.compile is disabled")
    torch._dynamo.reset()
    stats = torch._dynamo.utils.counters["stats"]
    before = stats["unique_graphs"]
    yield lambda: stats["unique_graphs"] - before
    torch._dynamo.reset()


@pytest.fixture(params=[(torch.float32, 0), (torch.float32, 13), (torch.bfloat16, 13)])
def model(request):
    """The dtype of a model, and how many columns pad its vocabulary."""
    return request.param


@torch.inference_mode()
def make_logits(model, batch_size):
    """Make logits with ties. Rows of a padded vocabulary are part of a wider tensor."""
    dtype, padding = model
    logits = torch.randn(batch_size, VOCAB_SIZE + padding, device=DEVICE)
    return logits.mul(4).round().to(dtype)[:, :VOCAB_SIZE].to(torch.float32)


@torch.inference_mode()
def check_ranks(gather, logprobs, requested=3):
    token_ids = torch.arange(len(logprobs), device=DEVICE)
    values = logprobs.gather(-1, token_ids.unsqueeze(-1))
    expected_ranks = (logprobs >= values).sum(-1)

    ranks = gather(logprobs, requested, token_ids)[2]

    assert ranks.dtype == torch.int64
    assert torch.equal(ranks, expected_ranks)


@pytest.mark.parametrize("batch_sizes", [(1, 2, 8), (0, 1, 2), (2, 1, 0)], ids=str)
def test_one_graph_for_every_batch(num_graphs, model, batch_sizes):
    for batch_size in batch_sizes:
        check_ranks(Sampler.gather_logprobs, make_logits(model, batch_size))

    assert num_graphs() == 1


def construct_sampler(dtype=torch.float32, runner_type="generate"):
    """Construct it as a worker does, for a model that is about to be served."""
    model_config = Mock(dtype=dtype, runner_type=runner_type)
    model_config.get_vocab_size.return_value = VOCAB_SIZE
    with set_current_vllm_config(Mock(model_config=model_config)):
        return Sampler()


def test_nothing_compiles_once_a_model_is_served(num_graphs, model):
    sampler = construct_sampler(model[0])
    num_ahead = num_graphs()
    assert num_ahead >= 1

    for batch_size in (1, 2, 8, 3, 1):
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
            sampler.sample(make_logits(model, batch_size), metadata)
        check_ranks(sampler.gather_logprobs, make_logits(model, batch_size))

    assert num_graphs() == num_ahead


def test_nothing_compiles_ahead_where_nothing_samples(num_graphs, monkeypatch):
    Sampler()
    construct_sampler(runner_type="pooling")
    platform = Mock(device_type=DEVICE)
    platform.is_out_of_tree.return_value = True
    monkeypatch.setattr(sampler_module, "current_platform", platform)
    construct_sampler()

    assert num_graphs() == 0


@pytest.fixture
def logger(monkeypatch):
    logger = Mock()
    monkeypatch.setattr(sampler_module, "logger", logger)
    return logger


def test_time_is_logged_only_if_something_was_compiled(num_graphs, logger):
    for _ in range(2):
        construct_sampler()
    logger.info_once.assert_called_once()
    logger.warning_once.assert_not_called()


def test_a_failure_is_one_line_of_warning(num_graphs, logger, monkeypatch):
    with monkeypatch.context() as patch:
        fails = Mock(side_effect=RuntimeError("No compiler\nwas found\n\nHints"))
        patch.setattr(sampler_module, "batched_count_greater_than", fails)
        construct_sampler()

    logger.info_once.assert_not_called()
    logger.warning_once.assert_called_once()
    message, *args = logger.warning_once.call_args.args
    assert "No compiler" in message % tuple(args)
    assert "\n" not in message % tuple(args)
    check_ranks(Sampler.gather_logprobs, make_logits((torch.float32, 0), batch_size=2))
