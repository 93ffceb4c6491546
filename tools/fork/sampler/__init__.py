# SPDX-License-Identifier: Apache-2.0
"""In: a tree, and torch alone. Out: what the tree's sampler compiles, and when."""
