# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project


def test_specific_tokens_share_the_compilation(compilations, make_logprobs):
    gather = Sampler().gather_specific_token_logprobs
    for batch_size, vocab_size in ((1, 32), (2, 50), (8, 20)):
        check_ranks(gather, make_logprobs(batch_size, vocab_size), {0: [3]})
    check_ranks(Sampler.gather_logprobs, make_logprobs(1, 40), 3)

    assert compilations() == 1
