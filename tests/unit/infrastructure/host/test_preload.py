"""What the commands load is loaded before."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SCRIPT = """
import os, sys
from ctx.infrastructure.host.preload import preload
preload("cl100k_base", ["python"])
before = set(sys.modules)
from ctx.infrastructure.cli.entry import main
shown, sys.stdout = sys.stdout, open(os.devnull, "w")
codes = [main(words.split()) for words in (
    "search hello", "search -F hello", "search hello --focus a.py --json", "get a.py", "get a.py#hello --mode excerpt",
    "resolve hello --no-lsp", "refs hello --no-lsp", "refs hello --callees --no-lsp", "hover hello --no-lsp", "map",
)]
new = sorted(name for name in set(sys.modules) - before if name.partition(".")[0] != "encodings")
sys.stdout.close()
sys.stdout = shown
print(codes, len(os.listdir("/proc/self/task")), *new, file=sys.stderr)
"""


def test_no_command_imports_anything_after_it(tmp_path: Path) -> None:
    """Every module that answering takes is there before the first copy is made, and none has started a thread."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "a.py").write_text("def hello():\n    return world()\n\n\ndef world():\n    return 1\n")
    environment = os.environ | {"HOME": str(tmp_path), "CTX_LSP_ENABLED": "0"}
    command = [sys.executable, "-c", _SCRIPT]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert f"{[0] * 10} 1" == done.stderr.splitlines()[-1]
