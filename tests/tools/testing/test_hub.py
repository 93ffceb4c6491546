# SPDX-License-Identifier: Apache-2.0
"""The private hub: where files go, so that a reader of the cache finds them."""

from pathlib import Path

from tools.fork.testing import hub

OLD, NEW = "0" * 40, "1" * 40


def test_a_model_is_where_the_cache_has_it(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "config.json").write_text("{}")

    hub.place(files, tmp_path, "org/name", NEW)

    model = tmp_path / "hub/models--org--name"
    assert (model / "refs/main").read_text() == NEW
    assert (model / f"snapshots/{NEW}/config.json").read_text() == "{}"
    assert hub.snapshot(tmp_path, "org/name", NEW) == model / "snapshots" / NEW


def test_a_new_revision_takes_the_place_of_the_old(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for revision in (OLD, NEW):
        hub.place(files, tmp_path, "org/name", revision)

    model = tmp_path / "hub/models--org--name"
    assert (model / "refs/main").read_text() == NEW
    assert [it.name for it in (model / "snapshots").iterdir()] == [NEW]


def test_every_architecture_has_a_name_and_every_name_an_architecture() -> None:
    assert set(hub.MODELS.values()) == set(hub.ARCHITECTURES)
