# SPDX-License-Identifier: Apache-2.0
"""In: the trees, and reports. Out: two signed-off patches, checked and described."""
