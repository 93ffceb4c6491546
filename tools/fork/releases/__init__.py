# SPDX-License-Identifier: Apache-2.0
"""Other releases.

In: all that are described. Out: their trees, and docs/releases.md, which says how the
change fares in each release, and who needs it there.
"""
