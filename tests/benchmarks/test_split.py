# SPDX-License-Identifier: Apache-2.0
"""What the split of a row is, as read out of a generated source, and how it is kept."""

import json
from pathlib import Path

import pytest

from benchmarks.sampler import split
from tools.fork import ForkError

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


def test_runs_under_several_versions_fill_one_table(tmp_path: Path) -> None:
    file = tmp_path / "report/split.json"
    one = {"fork": [{"batch": 1, "kernels": 1, "split": 1}]}
    two = {"fork": [{"batch": 1, "kernels": 2, "split": 19}]}

    split.merge(file, "2.10.0", two)
    split.merge(file, "2.9.1", one)
    table = split.merge(file, "2.10.0", one)

    assert list(table) == ["2.9.1", "2.10.0"]
    assert table == {"2.9.1": one, "2.10.0": one} == json.loads(file.read_text())


def test_the_table_has_a_line_per_graph() -> None:
    graphs = [{"batch": batch, "kernels": 2, "split": 19} for batch in (1, 8)]
    whole = [{"batch": 1, "kernels": 1, "split": 1}]

    text = "\n".join(split.lines({"2.10.0": {"stock": graphs, "fork": whole}}))

    assert "not timed" in text
    assert [it.split() for it in text.splitlines()[-3:]] == [
        ["2.10.0", "stock", "2", "batch", "1", "2", "19", "ways"],
        ["2.10.0", "stock", "2", "batch", "8", "2", "19", "ways"],
        ["2.10.0", "fork", "1", "batch", "1", "1", "no"],
    ]


def test_torch_versions_are_those_that_know_hints(tmp_path: Path) -> None:
    file = tmp_path / "releases.toml"
    versions = ("2.13.0", "2.9.1", "2.10.0", "2.10.0")
    releases = (f'["{i}"]\ntorch = "{it}"\n' for i, it in enumerate(versions))
    file.write_text('pinned = "0"\n' + "".join(releases))

    assert split.torch_versions(file) == ["2.10.0", "2.13.0"]
