# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project


def test_specific_tokens_share_the_graph(num_graphs, model):
    gather = Sampler().gather_specific_token_logprobs
    for batch_size in (1, 2, 8):
        check_ranks(gather, make_logits(model, batch_size), {0: [3]})
    check_ranks(Sampler.gather_logprobs, make_logits(model, batch_size=1))

    assert num_graphs() == 1
