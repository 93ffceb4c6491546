# SPDX-License-Identifier: Apache-2.0
"""In: a checkout, an environment, a wheel. Out: the same with our change, or without.

Standard library only.
"""
