# SPDX-License-Identifier: Apache-2.0
"""Which models run, on a GPU, on the sampler that we change.

Model Runner V1 has that sampler; V2 counts ranks with a kernel of its own. A CPU
without Triton runs all models on V1.
"""

import re

# From which minor release on which models run on V1 unless a setting says otherwise: as
# `use_v2_model_runner` in vllm/config/vllm.py of each release in releases.toml decides.
_ON_V1 = {
    0: "all models",
    22: "mixtures of experts, hybrids and most dense models (Llama; not Qwen3)",
    23: "mixtures of experts and hybrids",
    29: "only models that fall back to it for what V2 lacks",
}


def on_v1(version: str) -> str:
    """Return which models a release runs on Model Runner V1 on a GPU, in words."""
    found = re.match(r"0\.(\d+)", version)
    minor = int(found[1]) if found else max(_ON_V1)
    return _ON_V1[max(it for it in _ON_V1 if it <= minor)]
