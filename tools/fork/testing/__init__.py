# SPDX-License-Identifier: Apache-2.0
"""What `make test` and `make test-upstream` run.

In: the trees, and an environment. Out: an exit status, and reports: what passed, what
fails without a statement of ours, and what differs between the trees.
"""
