"""The `ctx` command: `python -m ctx` and the console script."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    try:
        from .infrastructure.cli.thin_client import run_in_host

        answered = run_in_host(sys.argv)
        if answered is None:
            from .infrastructure.cli.entry import main as run

            answered = run()
        exit_code = answered
    except KeyboardInterrupt:  # before a command began or after it ended; in between it says what is kept
        exit_code = 130
    if exit_code == 130:
        # An interrupt that met CPython inside an `exec` (dataclasses are made by one) leaves a mark that turns the exit
        # into a death by SIGINT, although it was handled. The next `exec` takes the mark away.
        exec("")  # noqa: S102
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
