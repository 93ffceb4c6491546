# SPDX-License-Identifier: Apache-2.0
"""Into the vLLM that somebody has, and back out.

In: a checkout, or an environment. Out: the same with our change woven in, or
without it. Standard library only.
"""
