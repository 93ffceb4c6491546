# SPDX-License-Identifier: Apache-2.0
"""In: a release, our sparse sources. Out: git trees of it, as it is and woven."""
