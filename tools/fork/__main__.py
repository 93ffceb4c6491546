# SPDX-License-Identifier: Apache-2.0
"""The commands behind the Makefile."""

import sys

from tools.fork import ForkError, bootstrap


def main() -> None:
    """Run one command."""
    bootstrap.check_python(sys.version_info[:2], *sys.argv[1:2])
    # Only now: the rest needs the Python that the line above made sure of.
    from tools.fork import commands

    options = commands.parse(sys.argv[1:])
    if options.command != "apply":  # which needs nothing installed
        venv = bootstrap.environment_for(options.command, options.release)
        bootstrap.enter(sys.argv[1:], venv)
    options.run(options)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; run the same command again to go on.")
    except ForkError as error:
        sys.exit(f"\n{error}")
    except OSError as error:
        said = f"{error.filename or 'The disk'} cannot be used ({error.strerror})"
        sys.exit(f"\n{said}; mend that and run the same command again.")
