"""The part of `ctx doctor` about language servers: who would be asked, from where, in which version, what is missing.

A server that is not installed is no failure: ctx answers without. What running servers do (`LanguageServerPool.status`)
comes in as `running`, from whoever has some; this module starts nothing but programs that print their version.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ...domain.server_backends import backends_of
from ...domain.source_files import display_path
from ...domain.terminal_text import without_controls
from ..ast_lsp.server_discovery import SOURCE_WORDS, all_servers, setting_notes, shown_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..ast_lsp.server_discovery import FoundServer, ServerChoice
    from ..config import Config

VERSION_LIMIT_S = 5.0
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.+-]*")
_AT_ONCE = 8
_ADVICE = {"python": "pip install basedpyright ty"}


def server_report(
    segment: str,
    config: Config,
    environ: Mapping[str, str],
    files: Iterable[tuple[str, str]],
    running: Iterable[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return a row for each language and root among the (language, path) files, as `ctx doctor --json` gives it.

    None with `lsp.enabled` off. `running` are the rows of `LanguageServerPool.status()`: what a host's servers do is
    shown with the role it is done in.
    """
    if not config.flag("lsp.enabled"):
        return []
    choices = all_servers(segment, config, environ, files)
    found = [server for choice in choices for server in (choice.cold, choice.warm) if server is not None]
    versions = _versions(found, environ)
    states = {(row["server"], row["root"]): row for row in running}

    def role(server: FoundServer | None) -> dict[str, Any] | None:
        if server is None:
            return None
        state = states.get((server.backend.name, _root(server.root, segment)), {})
        version, problem = versions.get(server.command[0], ("", ""))
        return {
            "server": server.backend.name,
            "version": version,
            "problem": problem,
            "program": _shown(server.command[0], segment, environ),
            "source": server.source,
            "state": state.get("state", ""),
            "breaker": state.get("breaker", ""),
        }

    return [
        {
            "language": choice.language,
            "root": _root(choice.root, segment),
            "cold": role(choice.cold),
            "warm": role(choice.warm),
            "interpreter": _interpreter(choice, segment, environ),
            "notes": [without_controls(display_path(os.fsencode(note))) for note in choice.notes],
        }
        for choice in choices
    ]


def server_checks(report: Sequence[Mapping[str, Any]], config: Config) -> list[dict[str, Any]]:
    """Return the report as rows of `ctx doctor`; none of them is a failure."""
    checks = []
    if not config.flag("lsp.enabled"):
        return [_row("servers", "off (lsp.enabled)")]
    for row in report:
        where = "" if row["root"] == "." else f"{row['root']}: "
        same = row["cold"] is not None and row["warm"] is not None and row["cold"]["program"] == row["warm"]["program"]
        roles = [("", row["cold"])] if same else [("cold ", row["cold"]), ("warm ", row["warm"])]
        parts = [f"{label}{_described(role)}" for label, role in roles if role is not None]
        if row["interpreter"]:
            parts.append(f"interpreter {row['interpreter']}")
        advice = ""
        if row["cold"] is None and row["warm"] is None:
            advice = _advice(row["language"], config)
        found = where + ("; ".join(parts) if parts else "none is used")
        checks.append(
            _row(f"server {row['language']}", found, "; ".join([*row["notes"], *([advice] if advice else [])]))
        )
    checks += [_row("servers", note) for note in setting_notes(config)]
    return checks


def _row(name: str, found: str, do: str = "") -> dict[str, Any]:
    return {"name": name, "ok": True, "found": found, "do": do}


def _described(role: Mapping[str, Any]) -> str:
    words = " ".join(word for word in (role["server"], role["version"]) if word)
    state = ", ".join(word for word in (role["problem"], role["state"], role["breaker"]) if word)
    return f"{words} ({SOURCE_WORDS[role['source']]}: {role['program']})" + (f" [{state}]" if state else "")


def _advice(language: str, config: Config) -> str:
    if all("none" in config.items(name) for name in ("lsp.cold", "lsp.warm")):
        return "switched off by lsp.cold and lsp.warm"
    return _ADVICE.get(language) or backends_of(language)[0].install


def _interpreter(choice: ServerChoice, segment: str, environ: Mapping[str, str]) -> str:
    found = next((server.interpreter for server in (choice.cold, choice.warm) if server is not None), "")
    return _shown(found, segment, environ) if found else ""


def _shown(path: str, segment: str, environ: Mapping[str, str]) -> str:
    return without_controls(display_path(os.fsencode(shown_path(path, segment, environ))))


def _root(root: str, segment: str) -> str:
    return display_path(os.fsencode(os.path.relpath(root, segment)))


def _versions(servers: Sequence[FoundServer], environ: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the version each program prints, "" for one that prints none in time, and why it cannot be started."""
    commands = {server.command[0]: _version_command(server) for server in servers}
    additions = {server.command[0]: server.environment for server in servers}
    if not commands:
        return {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda program: _printed(commands[program], {**environ, **additions[program]}), commands)
        return dict(zip(commands, found, strict=True))


def _version_command(server: FoundServer) -> tuple[str, ...]:
    backend, program = server.backend, server.command[0]
    if backend.version_program:
        program = os.path.join(os.path.dirname(program), backend.version_program)
    return (program, *backend.version_arguments) if backend.version_arguments else ()


def _printed(command: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, str]:
    if not command:
        return "", ""
    try:
        # Not in the segment: a program may take files of the folder it starts in for its own.
        process = subprocess.Popen(
            command,
            cwd="/",
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except FileNotFoundError:  # the program itself was found
        return "", "cannot be started: the interpreter in its first line is gone"
    except OSError as error:
        return "", f"cannot be started: {error.strerror}"
    try:
        out, _ = process.communicate(timeout=VERSION_LIMIT_S)
    except subprocess.TimeoutExpired:
        # The group: what the program started may keep the pipe open.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
    match = _VERSION.search(out.decode("utf-8", "replace"))
    return match[0] if match else "", ""
