# SPDX-License-Identifier: Apache-2.0
"""The sampler alone: compilations, steady state.

In: a variant's tree, loaded with stand-ins for the rest of vLLM. Out: JSON.
"""
