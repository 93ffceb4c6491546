# SPDX-License-Identifier: Apache-2.0
"""What the change costs and saves, beside stock and beside upstream's own version."""
