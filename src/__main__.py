"""The `ctx` command: `python -m ctx` and the console script."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    from .infrastructure.cli.entry import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
