# SPDX-License-Identifier: Apache-2.0
"""From the release to woven trees.

In: a described release, and our sparse sources. Out: two git trees, the release with
our change as two commits on top, and the release as it is.
"""
