# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: Copyright contributors to the vLLM project
from vllm.config import get_current_vllm_config


def get_current_vllm_config_or_none():
    # Where none is set this release makes a default one, which has no model.
    return get_current_vllm_config()
