# SPDX-License-Identifier: Apache-2.0
"""Stands in for setuptools while pip fetches an sdist."""
