# SPDX-License-Identifier: Apache-2.0
"""In: a variant's tree, loaded with stand-ins for the rest of vLLM. Out: JSON."""
