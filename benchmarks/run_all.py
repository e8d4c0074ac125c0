"""Run every benchmark, one after the other: two at once would measure each other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = ("telemetry_sink.py", "telemetry_report.py", "index_search.py", "host.py", "agent.py")
"""`languages.py` and `resolve_agreement.py` are not among them: they take trees, or a language server, as arguments."""


def main() -> int:
    """Run them with the given options and return how many failed."""
    failed = [name for name in SCRIPTS if subprocess.call([sys.executable, str(HERE / name), *sys.argv[1:]])]
    for name in failed:
        print(f"FAILED: {name}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
