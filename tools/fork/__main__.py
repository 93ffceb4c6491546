# SPDX-License-Identifier: Apache-2.0
"""The commands behind the Makefile."""

import sys

from tools.fork import bootstrap


def main() -> int:
    """Run one command and return its exit status."""
    problem = bootstrap.problem_with_python(sys.version_info[:2], sys.argv[1:])
    if problem:
        print(problem, file=sys.stderr)
        return 1
    # Only now: the rest needs the Python that the lines above made sure of.
    from tools.fork import cli
    from tools.fork.apply import target

    options = cli.parse(sys.argv[1:])
    if options.command == "apply":
        return target.main(
            options.where.expanduser().absolute(), options.force, options.undo
        )
    release = getattr(options, "release", None)
    venv = bootstrap.environment_for(options.command, release)
    problem = bootstrap.enter(sys.argv[1:], venv)
    if problem:
        print(problem, file=sys.stderr)
        return 1
    from tools.fork import commands  # needs what was installed

    return commands.run(options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; run the same command again to go on.")
