# SPDX-License-Identifier: Apache-2.0
"""From the JSON of the measurements to docs/results.md and its pictures."""
