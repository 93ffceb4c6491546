# SPDX-License-Identifier: Apache-2.0
"""Other releases.

In: all that are described. Out: docs/releases.md, which says how the change fares in
each, and who needs it there.
"""
