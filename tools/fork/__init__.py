# SPDX-License-Identifier: Apache-2.0
"""The workshop: a pinned vLLM release, our change woven in, built and shown."""

UPSTREAM_TEST = "tests/v1/sample/test_batched_count_greater_than.py"


class ForkError(Exception):
    """What went wrong and what to do about it, as one sentence for a person."""
