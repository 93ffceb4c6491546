"""The workshop: a pinned vLLM release, our change woven in, built and shown."""


class ForkError(Exception):
    """What went wrong and what to do about it, as one sentence for a person."""
