"""Files that are replaced whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import CtxError
from ctx.infrastructure.atomic_file import write_json

if TYPE_CHECKING:
    from pathlib import Path


def test_the_document_replaces_what_was_there(tmp_path: Path) -> None:
    """The size is the file's; nothing else is left in the folder."""
    path = tmp_path / "pack.json"
    path.write_text("old and longer than what comes" * 100)
    document = {"text": "größe\n\u2028", "list": [1, None, 2.5]}
    size_bytes = write_json(str(path), document)
    assert size_bytes == path.stat().st_size
    assert document == json.loads(path.read_text(encoding="utf-8"))
    assert ["pack.json"] == [found.name for found in tmp_path.iterdir()]


def test_a_place_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    """A missing folder, a folder in the file's place; nothing is left behind."""
    (tmp_path / "dir.json").mkdir()
    for name in ("none/pack.json", "dir.json"):
        with pytest.raises(CtxError, match=r"json: cannot be written \(.*\); check permissions"):
            write_json(str(tmp_path / name), {})
    assert ["dir.json"] == [found.name for found in tmp_path.iterdir()]


_LIMITED = """
import resource, signal, sys
from ctx.domain.errors import CtxError
from ctx.infrastructure.atomic_file import write_json
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_json(sys.argv[1], {"text": "x" * 5000})
except CtxError as error:
    print(error)
"""


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path: Path) -> None:
    """What was written of the new one is gone."""
    path = tmp_path / "pack.json"
    path.write_text('"old"')
    ended = subprocess.run([sys.executable, "-c", _LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert "pack.json: cannot be written (File too large); check permissions and free space\n" == ended.stdout
    assert '"old"' == path.read_text()
    assert ["pack.json"] == [found.name for found in tmp_path.iterdir()]
