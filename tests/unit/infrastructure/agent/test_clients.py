"""Clients' configurations: what is put into them, and what is left as it is."""

from __future__ import annotations

import json
import os
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from ctx.domain.errors import CtxError, UsageError
from ctx.infrastructure.agent.clients import CLIENTS, Installation, plan, write

if TYPE_CHECKING:
    from pathlib import Path

PLACES = {
    ("claude-code", "project"): "project/.mcp.json",
    ("claude-code", "user"): "home/.claude.json",
    ("cursor", "project"): "project/.cursor/mcp.json",
    ("cursor", "user"): "home/.cursor/mcp.json",
    ("codex", "project"): "project/.codex/config.toml",
    ("codex", "user"): "home/.codex/config.toml",
    ("vscode", "project"): "project/.vscode/mcp.json",
    ("vscode", "user"): "home/.config/Code/User/mcp.json",
}


def planned(root: Path, client: str, scope: Any = "project", **options: Any) -> Installation:
    """Plan for a user and a project below one folder."""
    given = {"name": "ctx", "command": "ctx", "environment": {"HOME": str(root / "home")}} | options
    return plan(client, scope=scope, project=str(root / "project"), **given)


def servers(path: Path, key: str) -> dict[str, Any]:
    """Return the list of servers in a file."""
    text = path.read_text()
    found: dict[str, Any] = (tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))[key]
    return found


@pytest.mark.parametrize(("client", "scope"), PLACES)
def test_new_file_is_written_where_the_client_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str, scope: Any
) -> None:
    """With nothing in it but our server; a second time there is nothing to do."""
    monkeypatch.setattr("sys.platform", "linux")
    installation = planned(tmp_path, client, scope)
    path = tmp_path / PLACES[client, scope]
    assert str(path) == installation.path
    assert not installation.is_there
    write(installation)
    ours = servers(path, CLIENTS[client].key)["ctx"]
    assert ("ctx", "mcp") == (ours["command"], ours["args"][0])
    assert planned(tmp_path, client, scope).is_there
    assert [path.name] == os.listdir(path.parent)


def test_clients_that_can_name_the_project_are_told_to(tmp_path: Path) -> None:
    """In a project's file, which others share, no directory of one machine may stand."""
    found = {}
    for name in CLIENTS:
        write(planned(tmp_path, name))
        found[name] = servers(tmp_path / PLACES[name, "project"], CLIENTS[name].key)["ctx"]["args"]
    with_folder = ["mcp", "--segment", "${workspaceFolder}"]
    assert {"claude-code": ["mcp"], "cursor": with_folder, "codex": ["mcp"], "vscode": with_folder} == found


def test_json_keeps_everything_else(tmp_path: Path) -> None:
    """Other servers, other keys, their order, and what the user added to our entry."""
    path = tmp_path / "project/.mcp.json"
    path.parent.mkdir()
    before = {
        "zebra": 1,
        "mcpServers": {"other": {"command": "x"}, "ctx": {"command": "old", "env": {"CTX_TELEMETRY": "off"}}},
        "apple": "ä",
    }
    path.write_text(json.dumps(before, indent=4, ensure_ascii=False))
    write(planned(tmp_path, "claude-code"))
    after = json.loads(path.read_text())
    assert list(before) == list(after)
    assert {"command": "x"} == after["mcpServers"]["other"]
    ours = {"command": "ctx", "env": {"CTX_TELEMETRY": "off"}, "type": "stdio", "args": ["mcp"]}
    assert ours == after["mcpServers"]["ctx"]
    assert '\n    "zebra"' in path.read_text()
    assert "ä" in path.read_text()


def test_toml_keeps_everything_else(tmp_path: Path) -> None:
    """Comments, order and other tables stay to the byte; our table comes last."""
    path = tmp_path / "home/.codex/config.toml"
    path.parent.mkdir(parents=True)
    before = '# mine\nmodel = "x"  # the best\n\n[mcp_servers.other]\ncommand = "y"\n'
    path.write_text(before)
    write(planned(tmp_path, "codex", "user"))
    after = path.read_text()
    assert before + '\n[mcp_servers.ctx]\ncommand = "ctx"\nargs = ["mcp"]\n' == after
    write(planned(tmp_path, "codex", "user", name="second"))
    assert ["other", "ctx", "second"] == list(servers(path, "mcp_servers"))


def test_toml_table_that_is_there_is_updated_in_place(tmp_path: Path) -> None:
    """Our keys change, the user's own and their comments stay."""
    path = tmp_path / "home/.codex/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(
        '[mcp_servers."ctx"]\ncommand = "old"\nstartup_timeout_sec = 20  # slow disk\n\n[profiles.a]\nmodel = "z"\n'
    )
    write(planned(tmp_path, "codex", "user"))
    document = tomllib.loads(path.read_text())
    assert {"command": "ctx", "args": ["mcp"], "startup_timeout_sec": 20} == document["mcp_servers"]["ctx"]
    assert {"a": {"model": "z"}} == document["profiles"]
    assert "# slow disk" in path.read_text()


@pytest.mark.parametrize(
    ("client", "content", "said"),
    [
        ("claude-code", b"{", r'by hand: "ctx": {"type": "stdio", "command": "ctx", "args": \["mcp"\]}$'),
        ("vscode", b'{\n  // mine\n  "servers": {}\n}\n', "no plain JSON"),
        ("claude-code", b"[]", "must be an object of objects"),
        ("claude-code", b'{"mcpServers": []}', "must be an object of objects"),
        ("claude-code", b'{"mcpServers": {"ctx": 1}}', "must be an object of objects"),
        ("claude-code", b"\xff\xfe", "is no UTF-8"),
        ("claude-code", b'{"a": 1, "a": 2}', "no plain JSON .the key 'a' is there twice"),
        ("claude-code", b'{"mcpServers": {"o": {}}, "mcpServers": {"p": {}}}', "'mcpServers' is there twice"),
        ("claude-code", b'{"x": NaN}', "NaN is no number of JSON"),
        ("claude-code", b'{"x": [-Infinity]}', "-Infinity is no number of JSON"),
        ("claude-code", b'{"z": "\\ud800"}', "half of a character"),
        ("claude-code", b"[" * 200_000, "no plain JSON"),
        ("codex", b"a = " + b"[" * 20_000, "no TOML"),
        ("codex", b"[mcp_servers", "no TOML"),
        ("codex", b"mcp_servers = 1\n", "must be a table of tables"),
        ("codex", b'mcp_servers = { ctx = { command = "old" } }\n', "cannot be changed safely"),
        (
            "codex",
            b'[mcp_servers.ctx]\nargs = [\n  "a",\n]\n',
            r'by hand to \[mcp_servers.ctx\]; command = "ctx"; args = \["mcp"\]$',
        ),
    ],
)
def test_file_that_cannot_be_merged_is_left_as_it_is(tmp_path: Path, client: str, content: bytes, said: str) -> None:
    """The error names the file and says what to do; not a byte changes."""
    path = tmp_path / PLACES[client, "project"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(CtxError, match=said) as error:
        planned(tmp_path, client)
    assert str(error.value).startswith(str(path))
    assert content == path.read_bytes()


@pytest.mark.parametrize("number", ["1e400", "1e-7", "1.10", "-0", "12345678901234567890.123456789", "9" * 5000])
def test_json_numbers_stay_as_they_are_written(tmp_path: Path, number: str) -> None:
    """Digit by digit, whatever a float could hold of them."""
    path = tmp_path / "project/.mcp.json"
    path.parent.mkdir()
    path.write_text(f'{{\n  "n": {number},\n  "s": "{number}"\n}}')
    write(planned(tmp_path, "claude-code"))
    assert path.read_text().startswith(f'{{\n  "n": {number},\n  "s": "{number}",\n  "mcpServers": {{')


def test_toml_with_nan_is_merged(tmp_path: Path) -> None:
    """It is no equal of itself, and the file is still as it was but for our table."""
    path = tmp_path / "project/.codex/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("a = nan\nd = 1979-05-27T07:32:00Z\n")
    write(planned(tmp_path, "codex"))
    assert path.read_text().startswith("a = nan\nd = 1979-05-27T07:32:00Z\n\n[mcp_servers.ctx]\n")


@pytest.mark.parametrize("is_linked", [False, True])
def test_pipe_is_refused_at_once(tmp_path: Path, is_linked: bool) -> None:
    """Nobody writes into it: a reader would wait for ever."""
    path = tmp_path / "project/.mcp.json"
    path.parent.mkdir()
    if is_linked:
        path.symlink_to(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe" if is_linked else path)
    with pytest.raises(CtxError, match=r"cannot be read \(not a regular file\)"):
        planned(tmp_path, "claude-code")


def test_command_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A name of the file system may be no UTF-8, and a client's file is; nothing is left behind."""
    with pytest.raises(CtxError, match="half of a character"):
        planned(tmp_path, "codex", command="/opt/\udcff/ctx")
    assert [] == os.listdir(tmp_path)


def test_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a temporary file nor a changed one, whatever goes wrong."""
    path = tmp_path / "project/.mcp.json"
    path.parent.mkdir()
    path.write_text("{}")
    installation = planned(tmp_path, "claude-code")

    def fail(*_paths: str) -> None:
        raise RuntimeError("struck by lightning")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RuntimeError, match="lightning"):
        write(installation)
    assert ([".mcp.json"], "{}") == (os.listdir(path.parent), path.read_text())


def test_link_and_permissions_stay(tmp_path: Path) -> None:
    """A dotfile repository's link still leads there, and a private file stays private."""
    real = tmp_path / "dotfiles/claude.json"
    real.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o600)
    link = tmp_path / "home/.claude.json"
    link.parent.mkdir()
    link.symlink_to(real)
    write(planned(tmp_path, "claude-code", "user"))
    assert link.is_symlink()
    assert 0o600 == real.stat().st_mode & 0o777
    assert "ctx" in json.loads(real.read_text())["mcpServers"]


def test_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A folder of the file's name: nothing is left behind."""
    (tmp_path / "project").write_text("a file where the folder should be")
    with pytest.raises(CtxError, match=r"cannot be (read|written)"):
        write(planned(tmp_path, "vscode"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client": "emacs"}, "--client must be one of claude-code, cursor, codex, vscode, found 'emacs'"),
        ({"scope": "team"}, "--scope must be one of user, project, found 'team'"),
        ({"name": "a b"}, "--name must be 1 to 64 letters"),
        ({"name": ""}, "--name must be 1 to 64 letters"),
    ],
)
def test_wrong_options_are_explained(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    """With what would be right."""
    with pytest.raises(UsageError, match=said):
        planned(tmp_path, options.pop("client", "codex"), **options)


def test_places_follow_the_clients_own_variables(tmp_path: Path) -> None:
    """Codex and Claude Code may keep their files elsewhere."""
    environment = {"HOME": "/h", "CODEX_HOME": str(tmp_path / "c"), "CLAUDE_CONFIG_DIR": str(tmp_path / "d")}
    paths = [planned(tmp_path, name, "user", environment=environment).path for name in ("codex", "claude-code")]
    assert [str(tmp_path / "c/config.toml"), str(tmp_path / "d/.claude.json")] == paths


@pytest.mark.parametrize("before", ["{}", None])
def test_what_somebody_else_has_just_written_stays(tmp_path: Path, before: str | None) -> None:
    """A client keeps its own affairs in the file, and writes it whole while ours is being made."""
    path = tmp_path / "home/.claude.json"
    path.parent.mkdir()
    if before is not None:
        path.write_text(before)
    installation = planned(tmp_path, "claude-code", "user")
    path.write_text('{"precious": 1}')
    with pytest.raises(CtxError, match="somebody else has just written it; run the command again"):
        write(installation)
    assert '{"precious": 1}' == path.read_text()
    assert [path.name] == os.listdir(path.parent)
    write(planned(tmp_path, "claude-code", "user"))
    assert ["precious", "mcpServers"] == list(json.loads(path.read_text()))
