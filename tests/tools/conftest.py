# SPDX-License-Identifier: Apache-2.0
"""Nobody's settings; and a copy of the miniature release, made once a session."""

import os
import shutil
from pathlib import Path

import pytest

from fake_release import Miniature
from tools.fork.settings import for_programs
from tools.fork.source import overlay as overlays
from tools.fork.source import tree


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*os.environ} - {*for_programs()}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    made = Miniature(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlays, "ROOT", made.overlay)
        made.make_fork()
    return folder


@pytest.fixture
def mini(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    made = Miniature(tmp_path)
    monkeypatch.setattr(overlays, "ROOT", made.overlay)
    monkeypatch.setattr(tree, "ROOT", tmp_path)
    return made


@pytest.fixture
def overlay(mini: Miniature) -> Path:
    return mini.overlay
