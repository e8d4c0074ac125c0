"""The configurations of agents' clients: where each keeps its list of servers, and how ours is put into it.

A file that is there is merged into, never replaced: what cannot be read as the client reads it, or would not come out
as it went in but for our entry, is left alone with an error that says what to do by hand.
Where the files are and what they look like is what the clients' documentation says (docs/agents.md names the pages).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
import sys
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ...domain.errors import CtxError, UsageError
from ..regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

Scope = Literal["user", "project"]
SCOPES: tuple[Scope, ...] = ("user", "project")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONFIG_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Client:
    """One client: its format, the key of its list of servers, and its files below home and below a project.

    `project_variable` is what the client puts in place of the project's directory in the arguments of a project's own
    file, "" if it starts servers there anyway. For all projects of a user, where it starts servers and the roots it
    names say what to work on.
    """

    name: str
    title: str
    is_toml: bool
    key: str
    user_file: str
    project_file: str
    project_variable: str = ""
    names_type: bool = False


CLIENTS = {
    client.name: client
    for client in (
        Client("claude-code", "Claude Code", False, "mcpServers", ".claude.json", ".mcp.json", names_type=True),
        Client("cursor", "Cursor", False, "mcpServers", ".cursor/mcp.json", ".cursor/mcp.json", "${workspaceFolder}"),
        Client("codex", "Codex", True, "mcp_servers", ".codex/config.toml", ".codex/config.toml"),
        Client("vscode", "VS Code", False, "servers", "", ".vscode/mcp.json", "${workspaceFolder}", names_type=True),
    )
}


@dataclass(frozen=True, slots=True)
class Installation:
    """What is to be in a client's file: `text` is the whole file, `entry` what of it is ours, `before` what it was."""

    client: Client
    path: str
    entry: str
    text: str
    before: str | None
    is_there: bool


def plan(
    client_name: str,
    *,
    scope: Scope,
    name: str,
    project: str,
    command: str,
    environment: Mapping[str, str],
) -> Installation:
    """Return what a client's file has to be for it to start `ctx mcp` under a name; nothing is written.

    Raises: UsageError for an unknown client, scope or name; CtxError for a file that cannot be merged into.
    """
    client = CLIENTS.get(client_name)
    if client is None:
        raise UsageError(f"--client must be one of {', '.join(CLIENTS)}, found {client_name!r}")
    if scope not in SCOPES:
        raise UsageError(f"--scope must be one of {', '.join(SCOPES)}, found {scope!r}")
    if not _NAME.fullmatch(name):
        raise UsageError(f"--name must be 1 to 64 letters, digits, _ or -, found {name[:70]!r}")
    path = _path_of(client, scope, project, environment)
    arguments = ["mcp"]
    if client.project_variable and scope == "project":
        arguments += ["--segment", client.project_variable]
    entry: dict[str, Any] = {"type": "stdio"} if client.names_type else {}
    entry |= {"command": command, "args": arguments}
    before = _read(path)
    merge = _merged_toml if client.is_toml else _merged_json
    text = merge(before or "", client.key, name, entry, path)
    if not _is_utf8(text):
        raise CtxError(
            f"{path}: holds, or would hold, half of a character (\\ud800 to \\udfff), which is no UTF-8; mend it"
        )
    shown = _toml_table(client.key, name, entry) if client.is_toml else _dumped({client.key: {name: entry}})
    return Installation(client, path, shown, text, before, is_there=text == before)


def write(installation: Installation) -> None:
    """Replace the file by the planned one: whole or not at all, with the permissions it had; a link stays one.

    Raises: CtxError when it cannot be written, or is not what the plan was made of: clients write to their files at any
    moment. The old file is then as it was.
    """
    path = os.path.realpath(installation.path)
    temporary = f"{path}.{os.getpid()}.tmp"
    raw = installation.text.encode()
    is_made = False
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        mode = stat.S_IMODE(os.stat(path).st_mode) if os.path.exists(path) else 0o600
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        is_made = True
        with open(fd, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(fd)
        os.chmod(temporary, mode)
        if _read(path) != installation.before:
            raise CtxError(f"{installation.path}: somebody else has just written it; run the command again")
        os.replace(temporary, path)
        is_made = False
    except OSError as error:
        raise CtxError(f"{installation.path}: cannot be written ({error.strerror}); check its permissions") from None
    finally:
        if is_made:
            os.unlink(temporary)


def _path_of(client: Client, scope: Scope, project: str, environment: Mapping[str, str]) -> str:
    if scope == "project":
        return os.path.join(project, client.project_file)
    home = environment.get("HOME") or os.path.expanduser("~")
    if client.name == "codex" and environment.get("CODEX_HOME"):
        return os.path.join(environment["CODEX_HOME"], "config.toml")
    if client.name == "claude-code" and environment.get("CLAUDE_CONFIG_DIR"):
        return os.path.join(environment["CLAUDE_CONFIG_DIR"], client.user_file)
    if client.name == "vscode":
        if sys.platform == "darwin":
            return os.path.join(home, "Library", "Application Support", "Code", "User", "mcp.json")
        return os.path.join(environment.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "Code/User/mcp.json")
    return os.path.join(home, client.user_file)


def _read(path: str) -> str | None:
    """Return a file's text, None when there is none."""
    try:
        with open(open_regular(os.path.realpath(path), os.O_RDONLY), "rb") as file:
            raw = file.read(_CONFIG_BYTES_MAX + 1)
        if len(raw) > _CONFIG_BYTES_MAX:
            raise CtxError(f"{path}: larger than {_CONFIG_BYTES_MAX} bytes, which no configuration is")
        return raw.decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CtxError(f"{path}: cannot be read ({error.strerror}); check what it is") from None
    except UnicodeDecodeError as error:
        raise CtxError(f"{path}: byte {error.start} is no UTF-8; mend the file first, it is left as it is") from None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# ---------------------------------------------------------------------- JSON


def _merged_json(before: str, key: str, name: str, entry: dict[str, Any], path: str) -> str:
    if not before.strip():
        return _dumped({key: {name: entry}})
    # A number is kept as it is written: 1e-7, 1.10 and 1e400 would come out otherwise, or not at all.
    mark = secrets.token_hex(16)

    def kept(number: str) -> str:
        return mark + number

    try:
        document = json.loads(
            before, object_pairs_hook=_without_doubles, parse_constant=_refuse, parse_float=kept, parse_int=kept
        )
    except (ValueError, RecursionError) as error:
        raise CtxError(
            f"{path}: no plain JSON ({error}); it is left as it is: mend it, or add to {key} by hand: "
            f"{json.dumps({name: entry}, ensure_ascii=False)[1:-1]}"
        ) from None
    servers = document.get(key, {}) if isinstance(document, dict) else None
    if not isinstance(servers, dict) or not isinstance(servers.get(name, {}), dict):
        raise CtxError(f'{path}: "{key}" must be an object of objects; it is left as it is, mend it first')
    merged = {**servers.get(name, {}), **entry}
    if servers.get(name) == merged:
        return before
    document[key] = {**servers, name: merged}
    indent = re.search(r"\n([ \t]+)\S", before)
    return re.sub(rf'"{mark}([^"]*)"', r"\1", _dumped(document, indent[1] if indent else "  "))


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; one that has a key twice would lose a value.

    Raises: ValueError that names the key.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _value in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)[:60]!a} is there twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _dumped(document: dict[str, Any], indent: str = "  ") -> str:
    return json.dumps(document, ensure_ascii=False, indent=indent) + "\n"


# ---------------------------------------------------------------------- TOML


def _merged_toml(before: str, key: str, name: str, entry: dict[str, Any], path: str) -> str:
    document = _toml(before, path)
    servers = document.get(key, {})
    ours = servers.get(name, {}) if isinstance(servers, dict) else None
    if not isinstance(ours, dict):
        raise CtxError(f"{path}: {key} must be a table of tables; it is left as it is, mend it first")
    merged = {**ours, **entry}
    if ours == merged:
        return before
    text = _with_table(before, key, name, entry)
    try:
        is_as_meant = _toml(text, path) == {**document, key: {**servers, name: merged}}
    except CtxError:
        is_as_meant = False
    if not is_as_meant:
        raise CtxError(
            f"{path}: {key}.{name} is written in a way that cannot be changed safely; it is left as it is: remove it, "
            f"or change it by hand to {'; '.join(_toml_table(key, name, entry).splitlines())}"
        )
    return text


def _toml(text: str, path: str) -> dict[str, Any]:
    """Return a file's content with its floats as they are written: nan is not equal to itself."""
    try:
        return tomllib.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise CtxError(f"{path}: no TOML ({error}); it is left as it is, mend it first") from None


def _with_table(before: str, key: str, name: str, entry: dict[str, Any]) -> str:
    """Return the text with our table at its end, or with our keys in the table that is there."""
    head = re.compile(
        rf"^[ \t]*\[[ \t]*{key}[ \t]*\.[ \t]*(?:{name}|\"{name}\")[ \t]*\][ \t]*(?:#.*)?\r?$", re.MULTILINE
    )
    found = head.search(before)
    if found is None:
        gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
        return before + gap + _toml_table(key, name, entry)
    following = re.compile(r"^[ \t]*\[", re.MULTILINE).search(before, found.end())
    end = following.start() if following else len(before)
    kept = [
        line
        for line in before[found.end() : end].split("\n")[1:]
        if not re.match(rf"[ \t]*(?:{'|'.join(entry)})[ \t]*=", line)
    ]
    lines = [f"{name} = {_toml_value(value)}" for name, value in entry.items()]
    return before[: found.end()] + "\n" + "\n".join(lines + kept) + before[end:]


def _toml_table(key: str, name: str, entry: dict[str, Any]) -> str:
    lines = [f"{name} = {_toml_value(value)}" for name, value in entry.items()]
    return "\n".join([f"[{key}.{name}]", *lines, ""])


def _toml_value(value: str | list[str]) -> str:
    """Return a text or a list of texts; what JSON escapes, TOML escapes alike."""
    return json.dumps(value, ensure_ascii=False)
