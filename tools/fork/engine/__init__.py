# SPDX-License-Identifier: Apache-2.0
"""vLLM's engine on a tree, and the demo that shows stock beside fork.

In: the trees, and groups of requests. Out: what each tree compiled, which tokens came,
and when; the demo's table and picture.
"""
