"""From the pinned release to an installed fork, doing only what is not done yet."""

import sys

from tools.fork import install
from tools.fork.command import step
from tools.fork.fetch import fetch
from tools.fork.release import ROOT, Release
from tools.fork.tree import Trees, make_fork, make_stock, share_built_files, trees
from tools.fork.unpack import unpack_extensions

DOWNLOADS = ROOT / "build/downloads"


def make_trees(release: Release) -> Trees:
    """Fetch the release, weave our change in, and put the untouched one beside it.

    Raises:
        ForkError: The release cannot be had, or our change does not fit it.
    """
    made = trees(release)
    with step(f"vLLM {release.version}'s source"):
        sdist = fetch(release, "sdist", DOWNLOADS)
    with step("our change woven in, as one commit on top"):
        stashed = make_fork(release, sdist, made.fork)
        make_stock(release, made)
    if stashed:
        print(f"    edits found in {made.fork} are kept there: git stash list")
    return made


def make(release: Release) -> Trees:
    """Build and install the fork into the virtual environment.

    Raises:
        ForkError: A step failed; what is done stays done.
    """
    install.check_compiler()
    device = install.device()
    digests = (*release.digests["sdist"], *release.digests[f"{device}-wheel"])
    inputs = "\n".join([sys.version, str(ROOT), release.torch, device, *digests])
    stamp = install.VENV / ".fork-installed"
    generated = trees(release).fork / "vllm/_version.py"
    done = stamp.exists() and stamp.read_text() == inputs and generated.exists()
    if not done:
        stamp.unlink(missing_ok=True)
        install.install_torch(release)
    made = make_trees(release)
    if not done:
        install.install_requirements(release, made.fork)
        with step(f"the compiled extensions for {device}"):
            wheel = fetch(release, f"{device}-wheel", DOWNLOADS)
            unpack_extensions(wheel, made.fork)
        install.install_editable(release, made.fork, wheel)
        stamp.write_text(inputs)
    share_built_files(made)
    return made
