# SPDX-License-Identifier: Apache-2.0
"""In: a release. Out: its trees, and an environment with the fork installed.

PYTHONPATH chooses which of the trees runs there.
"""
