# SPDX-License-Identifier: Apache-2.0
"""Each test begins with nothing compiled; what was before is in Inductor's cache."""

from collections.abc import Iterator

import pytest
import torch

from tools.fork.bootstrap import ROOT
from tools.fork.sampler.observe import compilations, forget


@pytest.fixture(autouse=True)
def nothing_compiled() -> Iterator[None]:
    forget(ROOT / "build/cache/sampler", "cpu")
    compilations()
    with torch.inference_mode():
        yield
    torch._dynamo.reset()
