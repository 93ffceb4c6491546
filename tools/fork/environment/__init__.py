# SPDX-License-Identifier: Apache-2.0
"""From trees to an environment.

In: the trees of a release. Out: a virtual environment in which the fork is installed,
editable, with the release's own extensions; PYTHONPATH chooses the tree that runs.
"""
