"""The `ctx` command: `python -m ctx` and the console script."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    try:
        from .infrastructure.cli.entry import main as run

        return run()
    except KeyboardInterrupt:  # before a command began or after it ended; in between it says what is kept
        return 130


if __name__ == "__main__":
    sys.exit(main())
