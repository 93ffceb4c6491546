# SPDX-License-Identifier: Apache-2.0
"""Our tools; upstream has a folder of this name too."""
