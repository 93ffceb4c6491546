# SPDX-License-Identifier: Apache-2.0
"""Start a tree's server, and have a client send it requests."""

import contextlib
import itertools
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.variants import LOGS
from tools.fork import ForkError, child
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.child import Json
from tools.fork.program import for_programs

_PATIENCE = 600.0  # seconds for a server to be up


def run(model: Path, env: dict[str, str]) -> Json:
    """Start a server, send it all requests, and stop it.

    ``up`` and ``starts``, of each wave, are in seconds since the epoch; ``started`` is
    how many seconds the server took to be up.
    """
    start = time.time()
    with _running(model, env, LOGS / "server.log") as url:
        up = time.time()
        asked = {"url": url, "model": str(model)}
        client, log = "benchmarks.serving.client", LOGS / "client.log"
        (sent,) = child.call([sys.executable], client, asked, {}, log)
    return {
        "openai": sent["openai"],
        "started": round(up - start, 1),
        "up": up,
        "starts": [min(it["sent"] for it in wave) for wave in sent["waves"]],
        **summarise(sent["waves"]),
    }


def summarise(waves: list[list[Json]]) -> Json:
    """Return what a person notices of the waves of `benchmarks.serving.client`.

    A ``wait`` is the longest of a wave for a first or a next token; ``alike`` is the
    median of later requests that were sent alone, as the ``first``.
    """
    first, *later = (wave[0]["times"][-1] for wave in waves if len(wave) == 1)
    return {
        "requests": sum(map(len, waves)),
        "waves": [{"size": len(it), "wait": _longest_wait(it)} for it in waves],
        "first": round(first, 4),
        "alike": round(statistics.median(later), 4),
    }


def _longest_wait(wave: list[Json]) -> float:
    pairs = (itertools.pairwise([0.0, *it["times"]]) for it in wave)
    longest: float = max(b - a for a, b in itertools.chain(*pairs))
    return round(longest, 4)


@contextlib.contextmanager
def _running(model: Path, env: dict[str, str], log: Path) -> Iterator[str]:
    """Yield the address of a server, once it is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--port={port}", "--host=127.0.0.1", "--max-model-len=256"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        process = subprocess.Popen(
            [VENV / "bin/vllm", "serve", model, *options],
            cwd=ROOT,
            env=for_programs(env),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    end = time.monotonic() + _PATIENCE
    try:
        while not _is_up(port):
            if process.poll() is not None or time.monotonic() > end:
                raise ForkError(f"The server did not start; {child.ending(log)}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        # The engine is a process of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _is_up(port: int) -> bool:
    """Tell whether a server takes connections, as vLLM's does once it is up."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0
