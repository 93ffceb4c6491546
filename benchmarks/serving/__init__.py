# SPDX-License-Identifier: Apache-2.0
"""In: a variant's tree, in an environment that has vLLM. Out: JSON."""
