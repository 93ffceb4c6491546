# SPDX-License-Identifier: Apache-2.0
"""Into the vLLM that somebody has, and back out.

In: a checkout, an environment, or a release's wheel. Out: the same with our change
woven in, or an environment without it again. Standard library only.
"""
