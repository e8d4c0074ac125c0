"""What `ctx doctor --editor` finds out: a server that answers or does not, editors, and what they know of ctx."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from tests.language_server_scenarios import Scenario, ScriptedServer, error, exits, hang

from ctx.infrastructure.cli.editor_report import (
    KINDS,
    editor_checks,
    installed_editors,
    probe_server,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LIMIT_S = 0.3
PLENTY_S = 30.0


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with an empty folder of programs."""
    (tmp_path / "bin").mkdir()
    return tmp_path


def _environ(home: Path, *programs: str) -> dict[str, str]:
    for name in programs:
        (home / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
        (home / "bin" / name).chmod(0o755)
    return {"HOME": str(home), "PATH": str(home / "bin")}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _probed(folder: Path, *lives: Scenario, limit_s: float = PLENTY_S) -> tuple[dict[str, object], ScriptedServer]:
    server = ScriptedServer(folder / "server", *lives)
    return probe_server(list(server.command), os.environ, limit_s), server


def test_a_server_that_answers(tmp_path: Path) -> None:
    """Its own name and version are shown; it is shut down as the protocol wants it."""
    found, server = _probed(tmp_path)
    assert (True, "scripted 1.0", "") == (found["answered"], found["version"], found["problem"])
    assert ["initialize", "shutdown", "exit"] == server.methods()
    server.close()


def test_a_server_that_dies(tmp_path: Path) -> None:
    """How it ended is the problem, and where to look is what to do."""
    found, _server = _probed(tmp_path, Scenario(turns={"initialize": [[exits(3)]]}))
    assert (False, "ended with exit code 3") == (found["answered"], found["problem"])
    assert "standard error" in str(found["do"])


def test_a_server_that_hangs(tmp_path: Path) -> None:
    """The deadline is said, and nothing of the server is left."""
    found, server = _probed(tmp_path, Scenario(turns={"initialize": [[hang()]]}), limit_s=LIMIT_S)
    assert (False, "no answer to initialize in 0 s") == (found["answered"], found["problem"])
    server.close()


def test_a_server_that_refuses(tmp_path: Path) -> None:
    """Its own words are the problem."""
    found, server = _probed(tmp_path, Scenario(turns={"initialize": [[error(-32603, "out of order")]]}))
    assert (False, "initialize was refused: out of order") == (found["answered"], found["problem"])
    server.close()


def test_a_program_that_is_not_there() -> None:
    """It could not be started, and that is said."""
    found = probe_server(["/does/not/exist"], os.environ, PLENTY_S)
    assert not found["answered"]
    assert "could not be started" in str(found["problem"])


def test_only_editors_on_path_are_listed(home: Path) -> None:
    """An editor that is not installed has no row, whatever configuration it left behind."""
    _write(home / ".config/helix/languages.toml", "[language-server.ctx]\n")
    (row,) = installed_editors(_environ(home, "nvim"))
    assert ("Neovim", "~/bin/nvim", False, "") == (row["name"], row["program"], row["knows_ctx"], row["where"])


@pytest.mark.parametrize(
    ("program", "file", "text"),
    [
        ("nvim", ".config/nvim/init.lua", 'require("ctx").setup{}'),
        ("nvim", ".config/nvim/lua/plugins/tools.lua", "require('ctx').setup {}"),
        ("emacs", ".emacs.d/init.el", "(require 'ctx)"),
        ("hx", ".config/helix/languages.toml", "[language-server.ctx]"),
        ("vim", ".vimrc", "let g:ale_linters = {'python': ['ctx']}"),
    ],
)
def test_a_configuration_that_names_ctx(home: Path, program: str, file: str, text: str) -> None:
    """The file that does is shown."""
    _write(home / file, f"first line\n{text}\n")
    (row,) = installed_editors(_environ(home, program))
    assert (True, f"~/{file}") == (row["knows_ctx"], row["where"])


def test_other_words_with_ctx_in_them_do_not_count(home: Path) -> None:
    """A context object of somebody's program, or a path with the name, is no configuration of ctx."""
    _write(home / ".config/nvim/init.lua", 'local ctx_id, my_ctx = gl.ctx, f("a/ctx")\n')
    (row,) = installed_editors(_environ(home, "nvim"))
    assert not row["knows_ctx"]


def test_an_installed_extension(home: Path) -> None:
    """Of VS Code and its kin the folder of the extension is the proof."""
    folder = home / ".vscode/extensions/ctx-code.ctx-code-0.1.0"
    folder.mkdir(parents=True)
    (row,) = installed_editors(_environ(home, "code"))
    assert (True, "~/.vscode/extensions/ctx-code.ctx-code-0.1.0") == (row["knows_ctx"], row["where"])


def test_folders_of_the_environment_count(home: Path) -> None:
    """XDG_CONFIG_HOME is where a configuration is looked for, with characters in it that are patterns elsewhere."""
    _write(home / "my [conf]" / "helix/languages.toml", "[language-server.ctx]\n")
    environ = _environ(home, "helix") | {"XDG_CONFIG_HOME": str(home / "my [conf]")}
    (row,) = installed_editors(environ)
    assert row["knows_ctx"]


def _rows(server: dict[str, object], editors: Sequence[dict[str, object]]) -> list[tuple[object, ...]]:
    checks = editor_checks({"server": server, "editors": editors})
    return [(row["name"], row["ok"], row["found"], row["do"]) for row in checks]


def test_checks_of_what_was_found() -> None:
    """Only a server that does not answer fails; an editor without ctx is advice."""
    answered = {"answered": True, "elapsed_ms": 312.4, "version": "ctx 1.0", "problem": "", "do": ""}
    silent = {"answered": False, "elapsed_ms": None, "version": "", "problem": "it died", "do": "ask it why"}
    knows = {"name": "Helix", "program": "/bin/hx", "knows_ctx": True, "where": "~/.config/helix/languages.toml"}
    does_not = {"name": "Vim", "program": "/bin/vim", "knows_ctx": False, "where": ""}
    assert [
        ("ctx lsp", True, "answered initialize after 312 ms (ctx 1.0)", ""),
        ("Helix", True, "/bin/hx; ctx is in ~/.config/helix/languages.toml", ""),
        (
            "Vim",
            True,
            "/bin/vim; its configuration does not name ctx",
            "docs/editors.md has the two lines it takes",
        ),
    ] == _rows(answered, [knows, does_not])
    assert ("ctx lsp", False, "it died", "ask it why") == _rows(silent, [knows])[0]
    assert "none that ctx has a configuration for is on PATH" == _rows(answered, [])[1][2]


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the protocol's package nothing is started: which one it is, and how to get it, is the answer."""
    monkeypatch.setitem(sys.modules, "pygls", None)
    found = probe_server(["/does/not/exist"], os.environ)
    assert ("the package pygls cannot be imported", "pip install pygls, or install ctx anew") == (
        found["problem"],
        found["do"],
    )


def test_every_kind_can_be_known() -> None:
    """Each editor has a program to look for and a place where its configuration would be."""
    assert [] == [kind.name for kind in KINDS if not kind.programs or not (kind.files or kind.extensions)]
