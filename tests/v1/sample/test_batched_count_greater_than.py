# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
"""Ranks of sampled tokens are right, and no batch makes the sampler compile again."""

import threading
from unittest.mock import Mock

import pytest
import torch

from vllm.config import set_current_vllm_config
from vllm.platforms import current_platform
from vllm.v1.sample import sampler as sampler_module
from vllm.v1.sample.logits_processor import LogitsProcessors
from vllm.v1.sample.metadata import SamplingMetadata
from vllm.v1.sample.ops import topk_topp_sampler
from vllm.v1.sample.ops.logprobs import batched_count_greater_than
from vllm.v1.sample.ops.topk_topp_sampler import TopKTopPSampler
from vllm.v1.sample.sampler import Sampler

DEVICE = current_platform.device_type
INF = float("inf")
NAN = float("nan")
RANDOM_SAMPLE = "compiled_random_sample"  # some versions have none
# Inductor decides on other code for a vocabulary above 4096.
VOCABULARY = 5003

# name: (rows, one value per row)
CASES = {
    "no ties": ([[1.0, 3.0, 2.0]], [2.0]),
    "ties with the value": ([[2.0, 2.0, 1.0, 2.0]], [2.0]),
    "all equal": ([[0.5] * 7, [0.5] * 7], [0.5, 0.5]),
    "above the maximum": ([[1.0, 2.0, 3.0]], [4.0]),
    "below the minimum": ([[1.0, 2.0, 3.0]], [0.0]),
    "masked tokens": ([[-INF, -1.0, -INF, -2.0]], [-2.0]),
    "the masked token itself": ([[-INF, -1.0, -INF, -2.0]], [-INF]),
    "all masked": ([[-INF] * 4], [-INF]),
    "NaN in the row": ([[NAN, 1.0, 2.0, NAN]], [1.0]),
    "NaN as the value": ([[1.0, 2.0]], [NAN]),
    "one column": ([[1.0], [2.0], [3.0]], [1.0, 3.0, 2.0]),
    "one row and column": ([[1.0]], [1.0]),
    "many rows": (
        [[float((row * column) % 11) for column in range(40)] for row in range(33)],
        [float(row % 12) for row in range(33)],
    ),
}
# What a model's logits are where its vocabulary is padded: rows of a wider tensor, or,
# if they were cast, rows of their own, but a single row keeps the wider one's stride.
LAYOUTS = {
    "own": lambda rows, wider: rows,
    "of a wider tensor": lambda rows, wider: wider,
    "cast": lambda rows, wider: wider.double().to(rows.dtype),
}


def names_in(method, owner=Sampler):
    """What a method refers to; nothing if there is no such method."""
    return getattr(owner, method).__code__.co_names if hasattr(owner, method) else ()


class CountingBackend:
    """Compiles as the platform does, and counts."""

    def __init__(self):
        self.compilations = 0
        self.compile = torch._dynamo.lookup_backend(
            current_platform.simple_compile_backend
        )

    def __call__(self, graph, example_inputs):
        self.compilations += 1
        return self.compile(graph, example_inputs)


@pytest.fixture(autouse=True)
def nothing_compiled():
    torch._dynamo.reset()
    with torch.inference_mode():
        yield
    torch._dynamo.reset()


@pytest.fixture
def backend(monkeypatch):
    """Counts what the sampler compiles."""
    backend = CountingBackend()
    op = batched_count_greater_than._torchdynamo_orig_callable
    monkeypatch.setattr(
        sampler_module,
        "batched_count_greater_than",
        torch.compile(op, backend=backend),
    )
    if hasattr(topk_topp_sampler, RANDOM_SAMPLE):
        op = getattr(topk_topp_sampler, RANDOM_SAMPLE)._torchdynamo_orig_callable
        compiled = torch.compile(op, dynamic=True, backend=backend)
        monkeypatch.setattr(topk_topp_sampler, RANDOM_SAMPLE, compiled)
    return backend


@pytest.fixture
def logger(monkeypatch):
    logger = Mock()
    monkeypatch.setattr(sampler_module, "logger", logger, raising=False)
    return logger


def eager_ranks(logprobs, values):
    return [
        sum(entry >= value for entry in row)
        for row, (value,) in zip(logprobs.tolist(), values.tolist(), strict=False)
    ]


def random_logprobs(batch, vocabulary, layout="own"):
    generator = torch.Generator().manual_seed(batch * 1000 + vocabulary)
    logits = torch.randn(batch, vocabulary, generator=generator)
    # Few distinct values, so that there are ties.
    return laid_out(logits.mul(4).round().log_softmax(-1).to(DEVICE), layout)


def laid_out(rows, layout):
    batch, vocabulary = rows.shape
    wider = rows.new_zeros(batch, vocabulary + 13)
    wider[:, :vocabulary] = rows
    return LAYOUTS[layout](rows, wider[:, :vocabulary])


def tokens_for(logprobs):
    batch, vocabulary = logprobs.shape
    return torch.arange(batch, device=DEVICE).mul(7).remainder(vocabulary)


def gather(batch, vocabulary, num_logprobs=3, layout="own"):
    """Gather the logprobs of a batch and check every part against eager."""
    logprobs = random_logprobs(batch, vocabulary, layout)
    token_ids = tokens_for(logprobs)
    before = logprobs.clone()

    indices, gathered, ranks, *_ = Sampler.gather_logprobs(
        logprobs, num_logprobs, token_ids
    )

    top = before.topk(num_logprobs, dim=-1)
    own = before.gather(-1, token_ids.unsqueeze(-1))
    expected = torch.cat((token_ids.unsqueeze(-1), top.indices), dim=1)
    assert indices.dtype == torch.int32
    assert torch.equal(indices.long(), expected)
    assert torch.equal(gathered, torch.cat((own, top.values), dim=1))
    assert ranks.dtype == torch.int64
    assert ranks.shape == (batch,)
    assert ranks.tolist() == eager_ranks(before, own)
    assert torch.equal(logprobs, before)


def sampler_for(model_config):
    """Construct a sampler as a worker does, which is not in inference mode."""
    config = Mock(model_config=model_config)
    with torch.inference_mode(False), set_current_vllm_config(config):
        return Sampler()


def model(runner_type="generate", vocabulary=VOCABULARY):
    return Mock(runner_type=runner_type, get_vocab_size=lambda: vocabulary)


def sample(sampler, batch, layout="own", vocabulary=VOCABULARY, top_p=None):
    """Sample with logprobs, and check every part."""
    none = torch.zeros(batch, device=DEVICE)
    metadata = SamplingMetadata(
        temperature=torch.full((batch,), 0.7, device=DEVICE),
        all_greedy=False,
        all_random=True,
        top_p=None if top_p is None else torch.full((batch,), top_p, device=DEVICE),
        top_k=None,
        generators={},
        max_num_logprobs=2,
        no_penalties=True,
        prompt_token_ids=None,
        frequency_penalties=none,
        presence_penalties=none,
        repetition_penalties=none,
        output_token_ids=[[] for _ in range(batch)],
        allowed_token_ids_mask=None,
        bad_words_token_ids={},
        logitsprocs=LogitsProcessors(),
    )
    # One token per row is certain; it must be the one that is drawn.
    logits = torch.full((batch, vocabulary), -INF, device=DEVICE)
    certain = tokens_for(logits)
    logits.scatter_(1, certain.unsqueeze(-1), 0.0)

    output = sampler(laid_out(logits, layout), metadata)

    assert output.sampled_token_ids.squeeze(-1).tolist() == certain.tolist()
    assert output.logprobs_tensors.selected_token_ranks.tolist() == [1] * batch


@pytest.mark.parametrize("top_p", [None, 0.9])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_compiles_once_a_model_is_served(backend, logger, layout, top_p):
    sampler = sampler_for(model())
    ahead = backend.compilations

    for batch in (1, 2, 8, 3, 1):
        sample(sampler, batch, layout, top_p=top_p)
        gather(batch, VOCABULARY, layout=layout)

    assert ahead >= 1
    assert backend.compilations == ahead
    logger.warning.assert_not_called()
    logger.info.assert_called_once()
    assert logger.info.call_args.args[-1] > 0  # seconds


@pytest.mark.parametrize("vocabulary", [3, 4096, 4097, 50257])
def test_nothing_compiles_whatever_the_vocabulary(backend, vocabulary):
    sampler = sampler_for(model(vocabulary=vocabulary))
    ahead = backend.compilations

    for batch, layout in ((2, "cast"), (1, "cast"), (1, "own"), (5, "own")):
        sample(sampler, batch, layout, vocabulary)

    assert backend.compilations == ahead


@pytest.mark.parametrize("batches", [(1, 2, 8), (8, 1), (0, 1, 2), (2, 1, 0)], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_compilation_serves_every_batch(backend, batches, layout):
    for batch in batches:
        gather(batch, vocabulary=50, layout=layout)

    assert backend.compilations == 1


def test_one_compilation_serves_every_vocabulary_and_layout(backend):
    for batch, vocabulary in ((4, 50), (1, 1000), (0, 20), (8, 50)):
        for layout in LAYOUTS:
            gather(batch, vocabulary, layout=layout)

    assert backend.compilations == 1


def test_gathering_twice_from_the_same_tensor(backend):
    logprobs = random_logprobs(3, 50)
    token_ids = tokens_for(logprobs)

    first = Sampler.gather_logprobs(logprobs, 2, token_ids)
    second = Sampler.gather_logprobs(logprobs, 2, token_ids)

    assert all(torch.equal(*pair) for pair in zip(first[:3], second[:3], strict=False))
    assert backend.compilations == 1


@pytest.mark.skipif(
    "batched_count_greater_than" not in names_in("gather_specific_token_logprobs"),
    reason="there are no such ranks of specific tokens here",
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_specific_tokens_share_the_compilation(backend, layout):
    for batch, vocabulary in ((1, 50), (2, 1000), (8, 20)):
        logprobs = random_logprobs(batch, vocabulary, layout)
        sampled = tokens_for(logprobs)

        result = Sampler().gather_specific_token_logprobs(
            logprobs, {0: [3], batch - 1: [1, 2]}, sampled
        )

        assert result is not None
        _, gathered, ranks, *_ = result
        own = logprobs.gather(-1, sampled.unsqueeze(-1))
        assert torch.equal(gathered[:, :1], own)
        assert ranks.tolist() == eager_ranks(logprobs, own)
    gather(batch=0, vocabulary=70)

    assert backend.compilations == 1


@pytest.mark.skipif(
    not current_platform.is_cpu()
    or RANDOM_SAMPLE not in names_in("forward_cpu", TopKTopPSampler),
    reason="random sampling is not compiled here",
)
def test_random_sampling_compiles_for_one_row_and_for_more(backend):
    sampler_for(model())

    # More rows may have two layouts; and the ranks.
    assert backend.compilations == 1 + 2 + 1


@pytest.mark.parametrize(
    "model_config", [None, model("pooling")], ids=["no", "pooling"]
)
def test_nothing_compiles_ahead_without_a_model_that_samples(backend, model_config):
    sampler_for(model_config)
    Sampler()

    assert backend.compilations == 0


def test_nothing_compiles_ahead_on_other_platforms(backend, monkeypatch):
    platform = Mock(device_type=DEVICE)
    platform.is_cpu.return_value = platform.is_cuda_alike.return_value = False
    monkeypatch.setattr(sampler_module, "current_platform", platform, raising=False)

    sampler_for(model())

    assert backend.compilations == 0


def test_a_compilation_that_fails_ahead_is_only_a_warning(monkeypatch, logger):
    def broken(*_):
        raise RuntimeError("no compiler")

    with monkeypatch.context() as patch:
        patch.setattr(sampler_module, "batched_count_greater_than", broken)
        sampler = sampler_for(model())

    logger.warning.assert_called_once()
    logger.info.assert_not_called()
    sample(sampler, batch=2)


def test_a_sampler_leaves_the_random_state_as_it_was():
    before = torch.get_rng_state()
    sampler_for(model())

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("served", [True, False], ids=["served", "not yet compiled"])
def test_threads_that_sample_at_once(served):
    sampler = sampler_for(model()) if served else Sampler()
    ready = threading.Barrier(4)
    failures = []

    def work(batch):
        try:
            with torch.inference_mode():
                ready.wait()
                for _ in range(5):
                    sample(sampler, batch)
        except Exception as raised:
            failures.append(raised)

    threads = [threading.Thread(target=work, args=(it,)) for it in (1, 2, 1, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("case", CASES)
def test_counts_entries_at_or_above_the_value(case, dtype):
    rows, values = CASES[case]
    x = torch.tensor(rows, dtype=dtype, device=DEVICE)
    values = torch.tensor(values, dtype=dtype, device=DEVICE).unsqueeze(-1)

    counts = batched_count_greater_than(x, values)

    assert counts.dtype == torch.int64
    assert counts.shape == (len(rows),)
    assert counts.tolist() == eager_ranks(x, values)


def test_batches_that_disagree_raise_instead_of_broadcasting():
    x = torch.zeros(4, 8, device=DEVICE)

    with pytest.raises((RuntimeError, AssertionError)):
        batched_count_greater_than(x, x[:1, :1])
    with pytest.raises((RuntimeError, AssertionError)):
        batched_count_greater_than(x[:1], x[:, :1])


@pytest.mark.parametrize("num_logprobs", [0, 1, 5])
@pytest.mark.parametrize("batch", [0, 1, 4])
def test_gather_logprobs_equals_eager(batch, num_logprobs):
    gather(batch, vocabulary=50, num_logprobs=num_logprobs)
