"""Process trees as the system knows them, on real processes."""

from __future__ import annotations

import os
import subprocess
import sys

from ctx.infrastructure.process_tree import resident_bytes, tree_bytes, tree_of

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
                         stdin=sys.stdin, stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def test_a_tree_is_a_process_and_what_it_started() -> None:
    """Parents first; memory is that of all of them; gone is nothing."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        child = int(parent.stdout.readline())
        assert [parent.pid, child] == tree_of(parent.pid)
        assert child in tree_of(os.getpid())
        at_least = resident_bytes(parent.pid) + resident_bytes(child)  # both may still grow
        assert tree_bytes(parent.pid) >= at_least > 2_000_000
        parent.stdin.close()
    assert [] == tree_of(parent.pid)
    assert 0 == resident_bytes(parent.pid) == tree_bytes(parent.pid)
