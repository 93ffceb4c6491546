# SPDX-License-Identifier: Apache-2.0
"""What programs see of a person's settings, so that they do the same for everybody.

Standard library only, and no new syntax: it serves before anything is installed.
"""

import ast
import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Of what pip and uv are told: where packages come from, and how to get there.
_SOURCES = (
    "INDEX|FIND_LINKS|HOST|PROXY|CERT|TLS|KEYRING|TIMEOUT|RETRIES|OFFLINE|CACHE"
    "|LINK_MODE|CONCURRENT|CONFIG_FILE|NO_CONFIG"
)
# What misdirects a program: Python's own variables, one of which drops byte code, so
# that importing torch takes seconds; what adds or leaves out tests; a make above us;
# git's, for its hooks and for what it prints; and where pip and uv are to install.
_FOREIGN = re.compile(
    r"PYTHON(?!PATH$)|PYTEST_|COVERAGE_|(GNU)?MAKE(FLAGS|LEVEL|FILES)$|MFLAGS$"
    r"|GIT_(?!CONFIG|AUTHOR|COMMITTER)"
    rf"|(PIP|UV)_(?!.*({_SOURCES}))"
)
# For everything derived: no settings of git's but these.
GIT = {
    "GIT_CONFIG_GLOBAL": str(Path(__file__).with_name("gitconfig")),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_ATTR_NOSYSTEM": "1",
}
_INDEX = r"^\s*\[*(extra-|no-)?(index(-url)?|find-links)[\s=\]]"  # in a uv.toml
_FOR_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_TRUSTED_HOST": "UV_INSECURE_HOST",
    "PIP_CERT": "SSL_CERT_FILE",
    "PIP_PROXY": "ALL_PROXY",
}


def for_programs(more: "Mapping[str, str] | None" = None) -> "dict[str, str]":
    """Return our environment without what misdirects a program, and with ``more``."""
    kept = {name: it for name, it in os.environ.items() if not _FOREIGN.match(name)}
    home, ours = os.path.expanduser("~"), ROOT / "build/home"
    if not os.access(home, os.W_OK):  # uv does not go on without a folder for its cache
        with suppress(OSError):
            ours.mkdir(parents=True, exist_ok=True)
            # What a person has in a home that can only be read counts.
            name = "XDG_CACHE_HOME" if os.path.isdir(home) else "HOME"
            kept[name] = str(ours)
    # torch names a folder after the user, who may be without a name.
    kept["USER"] = kept.get("USER") or str(os.getuid())
    # Our own servers are not behind a proxy; of two spellings programs read either.
    theirs = [kept[it] for it in ("no_proxy", "NO_PROXY") if kept.get(it)]
    direct = ",".join([*theirs, "localhost,127.0.0.1"]).split(",")
    kept["no_proxy"] = kept["NO_PROXY"] = ",".join(dict.fromkeys(direct))
    return {**kept, **(more or {})}


def packages(python: str) -> "dict[str, str]":
    """Return what has pip, and uv too, get packages from where pip is told to.

    Nothing else that they are told stays, such as where to install. uv has no part in
    pip's settings, so each is passed on, unless uv is told of an index itself.
    """
    printed = subprocess.run(
        [python, "-m", "pip", "config", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=for_programs({"PIP_USER": "0"}),  # else it lists a person's own file alone
    ).stdout.decode("utf-8", "replace")
    found = {}
    for section in ("global", "download", "install", ":env:"):  # the later one counts
        for key, value in re.findall(rf"^{section}\.([\w-]+)=(.+?)\r?$", printed, re.M):
            name = "PIP_" + key.upper().replace("-", "_")
            if not _FOREIGN.match(name):
                found[name] = str(ast.literal_eval(value))
    if not _uv_knows_an_index():
        for theirs, ours in _FOR_UV.items():
            if theirs in found and ours not in os.environ:
                separator = "," if theirs == "PIP_FIND_LINKS" else " "
                found[ours] = separator.join(found[theirs].split())
        if found.get("PIP_NO_INDEX", "0").lower() in ("1", "true", "yes", "on"):
            nothing = (ROOT / "build/no-index").as_uri()  # no variable says it to uv
            found.update(UV_INDEX="", UV_DEFAULT_INDEX=nothing)
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip chooses
    return {**found, "PIP_CONFIG_FILE": os.devnull}


def _uv_knows_an_index() -> bool:
    """Tell whether uv is told of one, by variables, or files of a person's or all's."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    shared = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    for folder in (home, *shared.split(":"), "/etc"):
        with suppress(OSError):
            text = Path(folder, "uv/uv.toml").read_text("utf-8", "replace")
            if re.search(_INDEX, text, re.M):
                return True
    return any(re.match("UV_.*(INDEX|LINKS|CONFIG)", it) for it in os.environ)
