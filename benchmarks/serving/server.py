# SPDX-License-Identifier: Apache-2.0
"""Start a tree's server, have a client send it requests, and read what it compiled."""

import contextlib
import http.client
import itertools
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.serving import model, trace
from benchmarks.variants import LOGS, existing, folder
from tools.fork import ForkError, child
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.engine.generate import settings
from tools.fork.program import for_programs

_NAME = "small-llama"
_PATIENCE = 600.0  # seconds for a server to be up

Json = dict[str, Any]


def measure(variant: str, cache: str, scratch: Path) -> list[Json]:
    """Start a server, send it all requests, and stop it.

    Args:
        variant: Of those that are SERVED.
        cache: ``cold``, or ``warm``, after cold with the same scratch folder.
        scratch: Where the model and what is compiled are kept.

    Returns:
        One result: the variant, the cache, ``openai``, the client's version, the
        seconds until the server was up, ``started``, its ``compilations`` as
        `benchmarks.serving.trace` has them, and what `summarise` makes of its requests.

    Raises:
        ForkError: It is not installed, it did not start, or the client failed.
    """
    existing(VENV / "bin/vllm")
    tree = folder(variant)
    weights = model.make(scratch / "model")
    with tempfile.TemporaryDirectory(dir=scratch) as traced:
        env = settings(tree, scratch / f"server-{variant}") | {"TORCH_TRACE": traced}
        start = time.time()
        with _running(weights, env, LOGS / "server.log") as url:
            up = time.time()
            asked = {"url": url, "model": _NAME}
            client = [sys.executable], "benchmarks.serving.client"
            (sent,) = child.call(*client, asked, {}, LOGS / "client.log")
        starts = [min(it["sent"] for it in wave) for wave in _waves(sent["requests"])]
        compilations = trace.compiled(Path(traced), tree, up, starts)
    shape = {"variant": variant, "cache": cache, "openai": sent["openai"]}
    measured = {"started": round(up - start, 1), "compilations": compilations}
    return [{**shape, **measured, **summarise(sent["requests"])}]


def summarise(requests: list[Json]) -> Json:
    """Return what a person notices of requests, those of `benchmarks.serving.client`.

    Returns:
        The number of ``requests``, of those that ``failed``, and the first ``error`` or
        None; per wave its ``size`` and the longest ``wait`` for a first or a next
        token; the seconds of the ``first`` request, and the median of later ones that
        were sent alone too, as ``alike``; both None if one of them failed.
    """
    errors = [it["error"] for it in requests if it["error"]]
    alone = [it["times"][-1] for it in requests if it["size"] == 1 and it["times"]]
    whole = len(alone) == sum(it["size"] == 1 for it in requests)
    return {
        "requests": len(requests),
        "failed": len(errors),
        "error": errors[0] if errors else None,
        "waves": [
            {"size": len(it), "wait": round(max(map(_longest, it)), 4)}
            for it in _waves(requests)
        ],
        "first": round(alone[0], 4) if whole else None,
        "alike": round(statistics.median(alone[1:]), 4) if whole else None,
    }


def _waves(requests: list[Json]) -> list[list[Json]]:
    groups = itertools.groupby(requests, key=lambda it: it["wave"])
    return [[*wave] for _, wave in groups]


def _longest(request: Json) -> float:
    times: list[float] = [0.0, *request["times"]]
    return max([0.0, *(b - a for a, b in itertools.pairwise(times))])


@contextlib.contextmanager
def _running(folder: Path, env: dict[str, str], log: Path) -> Iterator[str]:
    """Yield the address of a server, once it is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--port={port}", "--host=127.0.0.1", "--max-model-len=256"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        process = subprocess.Popen(
            [
                VENV / "bin/vllm",
                "serve",
                folder,
                f"--served-model-name={_NAME}",
                *options,
            ],
            cwd=ROOT,
            env=for_programs(env),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, port, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError, http.client.HTTPException):
            asking = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            asking.request("GET", "/health")
            if asking.getresponse().status == http.HTTPStatus.OK:
                return
        time.sleep(0.1)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise ForkError(f"The server did not start; {log} ends:\n{last}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server and its engine, which is a process of its own."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
