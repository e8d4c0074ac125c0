"""`ctx mcp install` from its options to what is printed, written and returned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ctx.infrastructure.cli.mcp_command import run_install

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_entry_is_printed_and_nothing_written(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The entry on standard output, for a pipe; where it goes on standard error."""
    assert 0 == run_install("claude-code", segment=str(shop))
    shown = capsys.readouterr()
    entry = {"type": "stdio", "command": "ctx", "args": ["mcp"]}
    assert {"mcpServers": {"ctx": entry}} == json.loads(shown.out)
    assert f"ctx: this goes into {shop}/.mcp.json; --write puts it there\n" == shown.err
    assert not (shop / ".mcp.json").exists()


def test_entry_is_written_once(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second time says that it is there and changes nothing."""
    assert 0 == run_install("vscode", is_written=True, segment=str(shop), name="least")
    assert "restart VS Code" in capsys.readouterr().err
    path = shop / ".vscode/mcp.json"
    before = path.stat()
    assert 0 == run_install("vscode", is_written=True, segment=str(shop), name="least")
    assert f"ctx: {path}: least is there already\n" == capsys.readouterr().err
    assert before.st_mtime_ns == path.stat().st_mtime_ns
    assert 0 == run_install("vscode", segment=str(shop), name="least")
    assert "this is already in" in capsys.readouterr().err


def test_user_scope_names_the_program_by_its_place(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client started from a desktop has no shell's PATH."""
    program = shop / "bin/ctx"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(program), "mcp", "install"])
    assert 0 == run_install("codex", scope="user", segment=str(shop))
    assert f'command = "{program}"' in capsys.readouterr().out


def test_mistakes_are_one_line_and_leave_the_file(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use is exit code 2, a file that cannot be merged 3."""
    assert 2 == run_install("", segment=str(shop))
    assert "--client must be one of claude-code, cursor, codex, vscode" in capsys.readouterr().err
    (shop / ".mcp.json").write_text("{")
    assert 3 == run_install("claude-code", is_written=True, segment=str(shop))
    assert "it is left as it is" in capsys.readouterr().err
    assert "{" == (shop / ".mcp.json").read_text()
