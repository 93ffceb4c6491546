# SPDX-License-Identifier: Apache-2.0
"""The sampler of a tree, where torch is all that is installed.

In: a source tree, or as much of one as sampling needs. Out: what its sampler compiles,
and when; the rest of vLLM is replaced by stand-ins.
"""
