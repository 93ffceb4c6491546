# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project


def test_nothing_compiles_once_a_model_is_served(num_graphs, model):
    sampler = construct_sampler()
    assert num_graphs() == 1

    for batch_size in (1, 2, 8, 1):
        check_ranks(sampler.gather_logprobs, make_logits(model, batch_size))

    assert num_graphs() == 1


def test_nothing_compiles_ahead_under_the_dtype_of_a_model(num_graphs, monkeypatch):
    monkeypatch.setattr(torch, "get_default_dtype", lambda: torch.bfloat16)
    construct_sampler()

    assert num_graphs() == 0
