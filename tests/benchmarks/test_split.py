# SPDX-License-Identifier: Apache-2.0
"""What the split of a row is, as read out of a generated source."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import plan
from benchmarks.sampler import split
from tools.fork import ForkError
from tools.fork.source.tree import Trees

READS = """
triton_red_0 = async_compile.triton('triton_red_0', '''
@triton.jit
def triton_red_0(in_ptr0, out_ptr0, xnumel, r0_numel, R0_BLOCK : tl.constexpr):
    rnumel = r0_numel
''', device_str='cuda')
"""
STATIC = READS.replace("    rnumel", "    r0_numel = 151936\n    rnumel")
ADDS_UP = """
triton_per_1 = async_compile.triton('triton_per_1', '''
@triton.jit
def triton_per_1(in_ptr0, out_ptr0, xnumel, r0_numel, XBLOCK : tl.constexpr):
    r0_numel = 19
    rnumel = r0_numel
''', device_str='cuda')
"""
CALL = """
def call(args):
    triton_red_0_r0_numel = (18 + s27) // 19
    r0_numel = 7
"""


@pytest.mark.parametrize("reads", [READS, STATIC])
def test_one_kernel_does_not_split(reads: str) -> None:
    assert split.cut(reads + CALL) == {"kernels": 1, "split": 1}


@pytest.mark.parametrize("reads", [READS, STATIC])
def test_the_second_kernel_adds_up_as_many_parts_as_a_row_has(reads: str) -> None:
    assert split.cut(reads + ADDS_UP + CALL) == {"kernels": 2, "split": 19}


@pytest.mark.parametrize("source", [CALL, READS * 2, READS + ADDS_UP * 2])
def test_another_kind_of_source_is_not_guessed_at(source: str) -> None:
    with pytest.raises(ForkError, match="has changed"):
        split.cut(source)


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stand-ins for the trees and for each torch; what the latter are asked is kept."""
    asked: list[list[str]] = []

    def run_under_torch(_: str, __: Any, program: list[str], *___: Any) -> bytes:
        asked.append(program)
        return json.dumps({"fork": [[1, READS + ADDS_UP], [8, READS]]}).encode()

    made = Trees.inside(tmp_path / "newest")
    monkeypatch.setattr(split, "REPORT", tmp_path)
    monkeypatch.setattr(split, "folder", lambda name: tmp_path / name)
    monkeypatch.setattr(split.build, "make_trees", lambda release: made)
    monkeypatch.setattr(split, "run_under_torch", run_under_torch)
    return asked


def test_a_torch_reads_each_variant(tmp_path: Path, read: list[list[str]]) -> None:
    graphs = [
        {"batch": 1, "kernels": 2, "split": 19},
        {"batch": 8, "kernels": 1, "split": 1},
    ]

    (found,) = split.measure("2.10.0")

    assert found == {"torch": "2.10.0", "variants": {"fork": graphs}}
    assert read[0][1:] == [
        *(f"{it}={tmp_path / it}" for it in ("stock", "merged", "fork")),
        f"newest={tmp_path}/newest/fork",
    ]
    kept = (tmp_path / "split/torch-2.10.0-fork-batch-8.py").read_text()
    assert kept == READS


def test_a_run_reads_with_every_torch(tmp_path: Path, read: list[list[str]]) -> None:
    steps = [*plan.Planner(False, tmp_path, tmp_path).steps(["split"])]

    found = [it["torch"] for step in steps for it in step.run()]
    assert found == split.torch_versions()
    assert len(read) == len(found)


def test_torch_versions_are_those_that_know_hints(tmp_path: Path) -> None:
    file = tmp_path / "releases.toml"
    versions = ("2.13.0", "2.9.1", "2.10.0", "2.10.0")
    releases = (f'["{i}"]\ntorch = "{it}"\n' for i, it in enumerate(versions))
    file.write_text('pinned = "0"\n' + "".join(releases))

    assert split.torch_versions(file) == ["2.10.0", "2.13.0"]
