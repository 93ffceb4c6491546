# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project


def test_nothing_compiles_once_a_model_is_served(compilations, make_logprobs):
    sampler = construct_sampler()
    assert compilations() == 1

    for batch_size in (1, 2, 8, 1):
        logprobs = make_logprobs(batch_size)
        check_ranks(sampler.gather_logprobs, logprobs, 3)

    assert compilations() == 1
