# SPDX-License-Identifier: Apache-2.0
"""What goes upstream.

In: the trees, and what was measured of them. Out: a signed-off patch that upstream's
own checks have passed, and the pull request's text.
"""
