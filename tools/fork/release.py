"""The releases that pyproject.toml describes."""

import sys
from dataclasses import dataclass
from pathlib import Path

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = ROOT / "pyproject.toml"


@dataclass(frozen=True)
class Release:
    """A release of vLLM on the package index.

    Attributes:
        version: As in ``vllm==version``.
        torch: The version of torch that it pins.
        digests: The sha256 digests allowed for ``sdist``, ``cpu-wheel`` and
            ``cuda-wheel``.
    """

    version: str
    torch: str
    digests: dict[str, tuple[str, ...]]

    @property
    def tag(self) -> str:
        """Upstream's name for the release, as a git tag."""
        return f"v{self.version}"


def build_requirements(pyproject: Path = PYPROJECT) -> list[str]:
    """Return what upstream's setup.py imports, torch apart."""
    requires = tomllib.loads(pyproject.read_text("utf-8"))["build-system"]["requires"]
    return [line for line in requires if not line.startswith("torch")]


def described(version: str | None, pyproject: Path = PYPROJECT) -> Release:
    """Read one release from ``[tool.fork]``.

    Args:
        version: The release; the pinned one if None.
        pyproject: The file to read.

    Raises:
        ForkError: It is not described there.
    """
    fork = tomllib.loads(pyproject.read_text("utf-8"))["tool"]["fork"]
    version = version or fork["release"]
    releases = fork["releases"]
    if version not in releases:
        raise ForkError(
            f"{pyproject.name} does not describe vLLM {version}, only "
            f"{', '.join(releases)}. Add [tool.fork.releases.{version!r}] with its "
            "torch version and sha256 digests."
        )
    entry = dict(releases[version])
    torch = entry.pop("torch")
    return Release(version, torch, {kind: tuple(entry[kind]) for kind in entry})
