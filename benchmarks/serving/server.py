# SPDX-License-Identifier: Apache-2.0
"""Start a tree's server, have a client send it requests, and read what it compiled."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import child
from benchmarks.serving import model
from benchmarks.variants import built, folder
from tools.fork import ForkError
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.engine.serve import settings
from tools.fork.program import environment

_NAME = "small-llama"
_PATIENCE = 600.0  # seconds for a server to be up
# What torch's structured trace says of each compilation, first ones included.
_METRICS = re.compile(r'^V.*?\] (\{"compilation_metrics".*)$', re.M)

Json = dict[str, Any]


def measure(variant: str, cache: str, scratch: Path, report: Path) -> list[Json]:
    """Start a server, send it all requests, and stop it.

    Args:
        variant: One of `benchmarks.serving.engine.SERVED`.
        cache: ``cold``, or ``warm``, after cold with the same scratch folder.
        scratch: Where the model and what is compiled are kept.
        report: The folder for what server and client print.

    Returns:
        One result: the variant, the cache, ``openai``, the client's version, the
        seconds until the server was up, ``started``, its ``compilations``, each with
        its ``start``, and the ``requests`` as `benchmarks.serving.client` has them.
        Moments are in seconds after the server was up.

    Raises:
        ForkError: It is not installed, it did not start, or the client failed.
    """
    built(VENV / "bin/vllm", variant)
    tree = folder(variant)
    served = model.make(scratch / "model")
    name = f"server-{variant}-{cache}"
    with tempfile.TemporaryDirectory(dir=scratch) as trace:
        env = settings(tree, scratch / f"server-{variant}") | {"TORCH_TRACE": trace}
        start = time.time()
        with _serving(served, env, report / f"{name}.log") as url:
            up = time.time()
            asked = {"url": url, "model": _NAME}
            log = report / f"{name}-client.log"
            sent = child.call("serving.client", asked, {}, log)
        compiled = [
            it for file in Path(trace).iterdir() for it in compilations(file, tree, up)
        ]
    requests = [{**it, "sent": it["sent"] - up} for it in sent["requests"]]
    return [
        {
            "variant": variant,
            "cache": cache,
            "openai": sent["openai"],
            "started": up - start,
            "compilations": sorted(compiled, key=lambda it: float(it["start"])),
            "requests": requests,
        }
    ]


def compilations(trace: Path, tree: Path, up: float) -> Iterator[Json]:
    """Yield what one process compiled.

    Args:
        trace: A file that TORCH_TRACE made it write.
        tree: The source tree, without which files are named.
        up: When the server was up, in seconds since the epoch.
    """
    for line in _METRICS.findall(trace.read_text(errors="replace")):
        it = json.loads(line)["compilation_metrics"]
        yield {
            "function": it["co_name"],
            "file": (it["co_filename"] or "").removeprefix(f"{tree}/"),
            "seconds": (it["duration_us"] or 0) / 1e6,
            "reason": it["recompile_reason"],
            "start": (it["start_time_us"] or 0) / 1e6 - up,
        }


@contextlib.contextmanager
def _serving(served: Path, env: dict[str, str], log: Path) -> Iterator[str]:
    """Yield the address of a server, once it is up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--port={port}", "--host=127.0.0.1", "--max-model-len=256"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [
                VENV / "bin/vllm",
                "serve",
                served,
                f"--served-model-name={_NAME}",
                *options,
            ],
            cwd=ROOT,
            env=environment(env),
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
