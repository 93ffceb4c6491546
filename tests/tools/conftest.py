# SPDX-License-Identifier: Apache-2.0
"""Nobody's settings; and a copy of the miniature release, made once a session."""

import os
from pathlib import Path

import pytest

from fake_release import Miniature
from tools.fork.settings import for_programs


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*os.environ} - {*for_programs()}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Miniature:
    return Miniature.make(tmp_path_factory.mktemp("original"))


@pytest.fixture
def mini(original: Miniature, tmp_path: Path) -> Miniature:
    return original.copy(tmp_path)


@pytest.fixture
def overlay(mini: Miniature) -> Path:
    return mini.overlay
