# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project


def test_nothing_compiles_once_a_model_is_served(num_graphs, model):
    sampler = construct_sampler()
    assert num_graphs() == 1

    for batch_size in (1, 2, 8, 1):
        check_ranks(sampler.gather_logprobs, make_logits(model, batch_size))

    assert num_graphs() == 1
