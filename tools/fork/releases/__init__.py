# SPDX-License-Identifier: Apache-2.0
"""In: all described releases. Out: their trees, and docs/releases.md."""
