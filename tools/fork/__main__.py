"""The commands behind the Makefile."""

import sys

from tools.fork import bootstrap


def main() -> int:
    """Run one command and return its exit status."""
    problem = bootstrap.enter(sys.argv[1:])
    if problem:
        print(problem, file=sys.stderr)
        return 1
    # Only now: the rest needs the Python that the line above made sure of.
    from tools.fork import cli

    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; run the same command again to go on.")
