# SPDX-License-Identifier: Apache-2.0
"""Tell pip an sdist's metadata without running its setup.py, which imports torch.

pip asks for the metadata of all that it downloads, though the sdist holds it already.
"""

import shutil
from pathlib import Path


def prepare_metadata_for_build_wheel(folder: str, settings: object = None) -> str:
    """Copy the sdist's metadata into ``folder``, as PEP 517 has it."""
    info = Path(folder, "vllm.dist-info")
    info.mkdir()
    shutil.copy("PKG-INFO", info / "METADATA")
    return info.name
