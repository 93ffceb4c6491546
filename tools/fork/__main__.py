# SPDX-License-Identifier: Apache-2.0
"""The commands behind the Makefile."""

import sys

from tools.fork import ForkError, bootstrap


def main() -> "int | str":
    """Run one command; return its exit status, or why it cannot run."""
    problem = bootstrap.problem_with_python(sys.version_info[:2], sys.argv[1:])
    if problem:
        return problem
    # Only now: the rest needs the Python that the lines above made sure of.
    from tools.fork import cli
    from tools.fork.apply import target

    options = cli.parse(sys.argv[1:])
    if options.command == "apply":
        return target.main(
            options.where.expanduser().absolute(), options.force, options.undo
        )
    venv = bootstrap.environment_for(options.command, getattr(options, "release", None))
    problem = bootstrap.enter(sys.argv[1:], venv)
    if problem:
        return problem
    from tools.fork import commands  # needs what was installed

    return commands.run(options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; run the same command again to go on.")
    except ForkError as error:
        sys.exit(f"\n{error}")
    except OSError as error:
        said = f"{error.filename or 'The disk'} cannot be used ({error.strerror})"
        sys.exit(f"\n{said}; mend that and run the same command again.")
