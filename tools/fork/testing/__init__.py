# SPDX-License-Identifier: Apache-2.0
"""In: the trees, and an environment. Out: reports, or an error."""
