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


class Engine:
    """Serves models from ``stock`` or ``fork``, and keeps what vLLM prints."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        made = trees(described(os.environ.get("FORK_RELEASE")))
        self.trees = {"stock": made.stock, "fork": made.fork}

    def __call__(self, variant: str, models: Any) -> Any:
        tree = self.trees[variant]
        return generate.run(variant, tree, models, self.logs, CACHE)


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(tmp_path_factory.mktemp("logs"))
