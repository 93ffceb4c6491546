# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project


def test_nothing_compiles_ahead_where_warm_up_is_off(num_graphs):
    construct_sampler(warmup=False)

    assert num_graphs() == 0
