# SPDX-License-Identifier: Apache-2.0
"""What goes upstream.

In: the trees, and what was measured of them. Out: two signed-off patches that have
passed upstream's own checks, and a description of each.
"""
