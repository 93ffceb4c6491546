# SPDX-License-Identifier: Apache-2.0
"""Send waves of chats to a server, and note when each token comes."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from tools.fork import ForkError
from tools.fork.child import Json

_WAVES = (1, 1, 2, 4, 8, 16, 32, 16, 8, 4, 2, 1, 1)
_ROUNDS = 6
_LOGPROBS = 3
# Tokens of a request: the first of a wave has the fewest, so that all end one by one.
_SHORTEST, _LENGTHS = 8, 9
_TEXT = "Once upon a time there was a server"


def main(url: str, model: str) -> Iterator[Json]:
    """Send all waves, each once the one before has ended, and yield one result.

    A request was ``sent`` so many seconds after the epoch; its tokens came at
    ``times``, in seconds after that.
    """
    import openai

    yield {"openai": openai.__version__, "waves": asyncio.run(_send_all(url, model))}


async def _send_all(url: str, model: str) -> list[list[Json]]:
    import openai

    client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    # The client's own first use, which is none of the engine's.
    await client.models.list()
    waves = []
    for size in _WAVES * _ROUNDS:
        requests = (_send(client, model, place) for place in range(size))
        waves.append(await asyncio.gather(*requests))
    return waves


async def _send(client: Any, model: str, place: int) -> Json:
    wanted = _SHORTEST + place % _LENGTHS
    times: list[float] = []
    sent, start = time.time(), time.perf_counter()
    parts = await client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": _TEXT}],
        max_tokens=wanted,
        temperature=1.0,
        logprobs=True,
        top_logprobs=_LOGPROBS,
        stream=True,
        extra_body={"ignore_eos": True},
    )
    async for part in parts:
        for it in part.choices:
            tokens = (it.logprobs and it.logprobs.content) or ()
            times += [round(time.perf_counter() - start, 6)] * len(tokens)
    if len(times) != wanted:
        raise ForkError(f"{len(times)} tokens came with logprobs, not {wanted}.")
    return {"sent": sent, "times": times}
