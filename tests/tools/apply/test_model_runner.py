# SPDX-License-Identifier: Apache-2.0
"""Who runs the sampler that we change, by release."""

import pytest

from tools.fork.apply.model_runner import on_v1


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("0.10.2", "all models"),
        ("0.19.1+cpu", "all models"),
        ("0.21.0rc1", "all models"),
        ("0.22.1", "Llama"),
        ("0.28.0", "mixtures of experts and hybrids"),
        ("0.33.0", "fall back"),
        ("1.0", "fall back"),
        ("dev", "fall back"),
    ],
)
def test_models_on_v1(version: str, said: str) -> None:
    assert said in on_v1(version)
