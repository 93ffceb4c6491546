# SPDX-License-Identifier: Apache-2.0
"""The engine of the release that is tested, on stock and on the fork."""

import os
from pathlib import Path
from typing import Any

import pytest

from tools.fork.bootstrap import ROOT
from tools.fork.engine import generate
from tools.fork.release import described
from tools.fork.source.tree import trees

# What is compiled is kept from run to run, and counted all the same.
CACHE = ROOT / "build/cache/engine"


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def engine(logs: Path) -> Any:
    """Serves models from ``stock`` or ``fork``."""
    made = trees(described(os.environ.get("FORK_RELEASE")))

    def run(variant: str, models: Any) -> Any:
        return generate.run(variant, getattr(made, variant), models, logs, CACHE)

    return run
