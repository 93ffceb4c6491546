# SPDX-License-Identifier: Apache-2.0
"""The engine as people run it: in a trainer, in a server.

In: a variant's tree, in an environment that has vLLM. Out: JSON.
"""
