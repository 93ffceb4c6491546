# SPDX-License-Identifier: Apache-2.0
"""The processes of the trainer and the server, and what the client notes."""

import asyncio
import os
import select
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest

from benchmarks.serving import client, server, training
from tools.fork import ForkError


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a shell script as the server."""

    def running(script: str) -> Any:
        program = tmp_path / "bin/vllm"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return server._running(tmp_path, {}, tmp_path / "log")

    monkeypatch.setattr(server, "VENV", tmp_path)
    return running


def test_a_server_that_does_not_start_is_said(running: Any) -> None:
    serving = running("echo No model. >&2; exit 1")
    with pytest.raises(ForkError, match=r"(?s)did not start.*No model\."), serving:
        pass


def test_a_server_and_its_engine_end_with_the_measurement(
    running: Any, tmp_path: Path
) -> None:
    (tmp_path / "health").touch()
    os.mkfifo(tmp_path / "engine")
    engine = os.open(tmp_path / "engine", os.O_RDONLY | os.O_NONBLOCK)
    # vllm serve <model> --port=<port> ...
    port = "$(printf '%s\n' $@ | sed -n s/--port=//p)"
    script = f"sleep 1000 > engine & exec python3 -m http.server -b 127.0.0.1 {port}"

    with running(f"cd {tmp_path}; {script}") as url:
        assert url.startswith("http://127.0.0.1:")
        assert not select.select([engine], [], [], 0)[0]

    # The pipe can be read, to its end, once the process that holds it has ended.
    assert select.select([engine], [], [], 5)[0]
    os.close(engine)


def send(parts: int) -> Any:
    """Ask for 10 tokens, of which so many parts come, with two each."""
    stream = MagicMock()
    part = Mock(choices=[Mock(logprobs=Mock(content=["a", "b"]))])
    stream.__aiter__.return_value = [part] * parts
    completions = Mock(create=AsyncMock(return_value=stream))
    return asyncio.run(client._send(Mock(chat=Mock(completions=completions)), "m", 2))


def test_each_token_of_a_request_is_timed() -> None:
    times = send(5)["times"]
    assert len(times) == 10
    assert times == sorted(times)

    with pytest.raises(ForkError, match="6 tokens came with logprobs, not 10"):
        send(3)


def test_trl_leaves_the_environment_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = Mock(return_value=b'[{"name": "torch", "version": "2"}, {"name": "vllm"}]')
    monkeypatch.setattr(training, "uv", uv)
    monkeypatch.setattr(training, "ROOT", tmp_path)
    (tmp_path / "build").mkdir()

    target = training._packages()

    *_, said, folder, excluded, file, package = map(str, uv.call_args.args)
    assert (said, folder, excluded) == ("--target", str(target), "--excludes")
    assert Path(file).read_text().split() == ["torch", "vllm"]
    assert package == f"trl=={training.TRL}"
