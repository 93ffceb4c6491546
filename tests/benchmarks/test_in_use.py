# SPDX-License-Identifier: Apache-2.0
"""The trainer and the server: what is counted, compared and reported of them."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import plan, variants
from benchmarks.report import document, in_use
from benchmarks.serving import client, server, trainer
from tools.fork import ForkError
from tools.fork.release import MERGED
from tools.fork.source.tree import Trees

SAMPLER = "vllm/v1/sample/ops/logprobs.py"


def compilation(file: str = SAMPLER, **more: Any) -> Any:
    return {"function": "count", "file": file, "seconds": 2.0, "reason": None, **more}


def training(variant: str, cache: str) -> Any:
    steps = [
        {
            "seconds": 0.25,
            "compilations": [compilation("vllm/model.py")],
            "rewards": [1.0, float(number)],
            "lengths": [3, number],
            "loss": 0.5 / (number + 1),
            "grad_norm": 1.0,
        }
        for number in range(12)
    ]
    if variant == "stock":
        steps[0]["compilations"] = [compilation()]
        steps[1] |= {"compilations": [compilation(reason="0/0: 2 <= x  # a.py")]}
        steps[1]["seconds"] = 2.25
    shape = {"variant": variant, "cache": cache, "trl": "1", "started": 40.0}
    return {**shape, "steps": steps}


def serving(variant: str, cache: str) -> Any:
    requests = [
        {"wave": wave, "size": size, "sent": 10.0 * wave, "error": None}
        | {"times": [0.5, 0.75, 1.0]}
        for wave, size in enumerate(client.WAVES * client.ROUNDS)
        for _ in range(size)
    ]
    requests[0]["times"] = [0.5, 3.5]
    found = [compilation(start=-5.0), compilation("vllm/model.py", start=1.0)]
    if variant == "stock":
        found += [compilation(start=0.5), compilation(start=20.5, reason="0/0: size")]
    shape = {"variant": variant, "cache": cache, "openai": "3", "started": 60.0}
    return {**shape, "compilations": found, "requests": requests}


def runs(make: Any) -> list[Any]:
    return [make(it, cache) for it in ("stock", "fork") for cache in ("cold", "warm")]


def results() -> Any:
    machine = {"cpu": "A CPU", "cores": 2, "gpu": None, "threads": 2, "load": 0}
    machine |= {"torch": "2", "python": "3", "release": "1", "date": "today"}
    head = {"machine": machine, "quick": False}
    found = {"trainer": runs(training), "server": runs(serving)}
    return {name: {**head, "results": it} for name, it in found.items()}


def test_only_the_sampling_step_after_start_up_counts() -> None:
    stock = [in_use.compiled(make("stock", "cold")) for make in (training, serving)]

    assert [[it["place"] for it in found] for found in stock] == [[1, 2], [1, 3]]
    assert in_use.compiled(training("fork", "cold")) == []
    assert in_use.compiled(serving("fork", "cold")) == []


def test_what_comes_before_the_first_wave_counts() -> None:
    run = serving("stock", "cold")
    run["compilations"][0]["start"] = 0.25
    for it in run["requests"]:
        it["sent"] += 0.5

    assert [it["place"] for it in in_use.compiled(run)] == [0, 1, 3]


def test_a_wave_waits_as_long_as_its_longest_wait() -> None:
    waves = in_use.waves(serving("stock", "cold"))

    assert waves[:3] == [
        {"size": 1, "sent": 0.0, "wait": 3.0},
        {"size": 1, "sent": 10.0, "wait": 0.5},
        {"size": 2, "sent": 20.0, "wait": 0.5},
    ]
    assert len(waves) == len(client.WAVES) * client.ROUNDS


def test_the_first_request_is_compared_with_later_ones_alone() -> None:
    assert in_use.first_request(serving("stock", "cold")) == (3.5, 1.0)


def test_enough_is_sent() -> None:
    assert sum(client.WAVES) * client.ROUNDS >= in_use.REQUESTS
    assert trainer.STEPS >= in_use.STEPS


@pytest.mark.parametrize("name", ["trainer", "server", "engine"])
def test_no_problem_is_none(name: str) -> None:
    assert (
        list(command._find_problems(name, results().get(name, {}).get("results"))) == []
    )


def break_trainer(found: list[Any]) -> None:
    found[3]["steps"][4]["loss"] += 1e-9


def shorten_trainer(found: list[Any]) -> None:
    for it in found:
        del it["steps"][9:]


def compile_in_trainer(found: list[Any]) -> None:
    found[2]["steps"][7]["compilations"] = [compilation()]


def compile_less(found: list[Any]) -> None:
    found[1]["steps"][0]["compilations"] = []


def fail_requests(found: list[Any]) -> None:
    found[0]["requests"][7] |= {"error": "Refused: no.", "times": []}


def send_less(found: list[Any]) -> None:
    del found[1]["requests"][499:]


def compile_while_serving(found: list[Any]) -> None:
    found[3]["compilations"][0]["start"] = 0.25


PROBLEMS: list[Any] = [
    (
        "trainer",
        break_trainer,
        "loss on fork, warm is another than on stock, cold after",
    ),
    ("trainer", shorten_trainer, "The trainer made 9 steps on stock, cold."),
    ("trainer", compile_in_trainer, "compiled count after start-up on fork, cold; exp"),
    (
        "trainer",
        compile_less,
        "compiled 1 times after start-up on stock, warm, so this",
    ),
    (
        "server",
        fail_requests,
        "failed 1 requests on stock, cold; the first: Refused: no.",
    ),
    ("server", send_less, "The server got 499 requests on stock, warm."),
    (
        "server",
        compile_while_serving,
        "compiled count after start-up on fork, warm; exp",
    ),
]


@pytest.mark.parametrize(("name", "change", "problem"), PROBLEMS)
def test_what_is_not_shown_is_a_problem(name: str, change: Any, problem: str) -> None:
    found = results()[name]["results"]
    change(found)

    problems = list(command._find_problems(name, found))

    assert problem in problems[0]


def test_the_report_says_what_was_measured(tmp_path: Path) -> None:
    document.write(results(), tmp_path)

    text = (tmp_path / "results.md").read_text()
    assert "| stock, cold | 40 s | 2 | 4.00 s | 0.25 s | 2.25 s | 0.25 s |" in text
    assert "| fork, warm | 40 s | 0 | 0.00 s | 0.25 s | 0.25 s | 0.25 s |" in text
    assert "- stock, warm: `count` in step 1, 2.00 s: its first call" in text
    assert "- stock, warm: `count` in step 2, 2.00 s: `2 <= x`" in text
    assert "Equal in all 4 runs, in each of 12 steps" in text
    in_full = (tmp_path / "all-results.md").read_text()
    assert "| 2 | 1.000000 | 1.000000 | 0.250000000 | 0.250000000 |" in in_full
    assert (
        "| stock, cold | 60 s | 2 | 4.00 s | 576 | 0 | 3500 ms | 1000 ms | 3.5 |"
        in text
    )
    assert "- stock, cold: `count` in wave 3, 2.00 s: `size`" in text
    assert "| 2 | 500 / 500 / 500 | 500 / 500 / 500 | 250 / 250 / 250 |" in in_full
    noticed = "| trainer: longest step | 2.25 s | 0.25 s | 2.25 s | 0.25 s |"
    assert noticed in text
    assert noticed in "\n".join(document.summary(results()))
    assert "| server: first request | 3.50 s | " in text
    assert "| server: compilations of the sampler after that | 2 | 0 | 2 | 0 |" in text
    for name in ("trainer", "server", "restart"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_says_what_differs_or_failed() -> None:
    found = results()
    break_trainer(found["trainer"]["results"])
    fail_requests(found["server"]["results"])

    text = document.text(found)

    assert "Equal in all" not in text
    assert "The trainer's loss on fork, warm is another" in text
    assert "1 requests failed, the first of them so: Refused: no." in text
    assert "| server: first request | fails | " in text


def test_a_server_that_dies_early_is_reported(tmp_path: Path) -> None:
    found = results()
    for it in found["server"]["results"][0]["requests"]:
        it |= {"error": "Refused: no.", "times": []}

    document.write(found, tmp_path)

    said = "576 requests failed, the first of them so: Refused: no."
    assert said in (tmp_path / "results.md").read_text()
    assert "Requests failed: see" in (tmp_path / "all-results.md").read_text()


def test_problems_are_said_before_the_report_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = runs(serving)
    fail_requests(found)
    planned = plan.Step("server", "", 1, lambda: found)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(command, "lock", lambda folder: None)
    monkeypatch.setattr(plan.Planner, "steps", lambda *_: iter([planned]))
    monkeypatch.setattr(plan.machine, "describe", dict)
    monkeypatch.setattr(document, "write", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        command.main(["server"])

    assert "The server failed 1 requests" in capsys.readouterr().out


def test_first_compilations_are_in_the_trace_too(tmp_path: Path) -> None:
    metrics = {
        "co_name": "count",
        "co_filename": f"/tree/{SAMPLER}",
        "duration_us": 2_000_000,
        "recompile_reason": None,
        "start_time_us": 105_000_000,
    }
    again = {**metrics, "co_filename": None, "recompile_reason": "why"}
    lines = [json.dumps({"compilation_metrics": it}) for it in (metrics, again)]
    trace = tmp_path / "trace"
    trace.write_text(
        f"V1125 02:34:56.279000 7 torch/_dynamo/utils.py:1] {lines[0]}\n"
        'V1125 02:34:56.279000 7 torch/a.py:1] {"artifact": {"name": "other"}}\n'
        f"\t{lines[0]}\n"
        f"V1125 02:34:57.279000 7 torch/_dynamo/utils.py:1] {lines[1]}\n"
    )

    found = list(server.compilations(trace, Path("/tree"), 100.0))

    assert found == [
        compilation(start=5.0),
        compilation("", start=5.0, reason="why"),
    ]


@pytest.mark.parametrize(
    ("variant", "again"),
    [("fork", "`make build`"), ("follow-up", f"`make build RELEASE={MERGED}`")],
)
def test_a_tree_that_was_not_made_is_said(
    variant: str, again: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "trees", lambda release: Trees.inside(tmp_path))

    with pytest.raises(ForkError, match=f"fork is missing.*{again}"):
        variants.folder(variant)


@pytest.mark.parametrize("part", [server, trainer])
def test_what_is_not_installed_is_said(
    part: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "VENV", tmp_path)
    monkeypatch.setattr(part, "folder", lambda variant: tmp_path)

    with pytest.raises(ForkError, match=r"bin/vllm is missing.*`make build`"):
        part.measure("fork", "cold", tmp_path, tmp_path)


def make_program(folder: Path, text: str) -> None:
    program = folder / "bin/vllm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def test_a_server_that_does_not_start_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(tmp_path, "echo No model. >&2; exit 1")
    monkeypatch.setattr(server, "VENV", tmp_path)

    serving = server._serving(tmp_path, {}, tmp_path / "log")
    with pytest.raises(ForkError, match=r"(?s)did not start.*No model\."), serving:
        pass


def test_a_server_and_its_engine_end_with_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "health").touch()
    make_program(
        tmp_path,
        f"sleep 1000 & echo $! > {tmp_path}/engine\n"
        # vllm serve <model> --port=<port> ...
        f"for it in $@; do case $it in --port=*) port=${{it#--port=}};; esac; done\n"
        f"exec python3 -m http.server -d {tmp_path} -b 127.0.0.1 $port",
    )
    monkeypatch.setattr(server, "VENV", tmp_path)

    with server._serving(tmp_path, {}, tmp_path / "log") as url:
        engine = int((tmp_path / "engine").read_text())
        os.kill(engine, 0)
        assert url.startswith("http://127.0.0.1:")

    end = time.monotonic() + 5
    while running(engine) and time.monotonic() < end:
        time.sleep(0.01)
    assert not running(engine)


def running(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def fake_client(parts: int) -> Any:
    """A client whose requests get one token a part, as both kinds have them."""
    logprobs = SimpleNamespace(tokens=["a"], content=["a"])
    part = SimpleNamespace(choices=[SimpleNamespace(logprobs=logprobs)])
    asked: list[Any] = []

    async def stream() -> AsyncIterator[Any]:
        for _ in range(parts):
            yield part

    async def create(**arguments: Any) -> Any:
        asked.append(arguments)
        return stream()

    completions = SimpleNamespace(create=create)
    chat = SimpleNamespace(completions=completions)
    return SimpleNamespace(completions=completions, chat=chat, asked=asked)


@pytest.mark.parametrize(("wave", "kind"), [(0, "prompt"), (1, "messages")])
def test_each_token_of_a_request_is_timed(wave: int, kind: str) -> None:
    fake = fake_client(client._SHORTEST + 2)

    found = asyncio.run(client._send(fake, "a model", wave, 2))

    assert found["error"] is None
    assert len(found["times"]) == client._SHORTEST + 2
    assert found["times"] == sorted(found["times"])
    assert kind in fake.asked[0]
    assert fake.asked[0]["logprobs"]


def test_a_token_without_logprobs_is_an_error() -> None:
    found = asyncio.run(client._send(fake_client(3), "a model", 0, 0))

    assert found["error"] == "3 tokens came with their logprobs, not 8."


def test_what_a_client_raises_is_an_error() -> None:
    found = asyncio.run(client._send(SimpleNamespace(), "a model", 0, 0))

    assert found["error"].startswith("AttributeError: ")
    assert found["times"] == []


def test_trl_leaves_the_environment_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def run(program: list[Any], failure: str) -> bytes:
        commands.append([*map(str, program)])
        return b'[{"name": "torch", "version": "2"}, {"name": "vllm"}]'

    monkeypatch.setattr(trainer, "run", run)
    monkeypatch.setattr(trainer, "VENV", tmp_path)

    target = trainer._packages()

    install = commands[-1]
    assert install[install.index("--target") + 1] == str(target)
    excludes = Path(install[install.index("--excludes") + 1])
    assert excludes.read_text().split() == ["torch", "vllm"]
    assert install[-1] == f"trl=={trainer.TRL}"
