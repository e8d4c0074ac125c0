"""The part of `ctx doctor` about editors: can the editor server start, which editors are there, do they know of ctx.

Read-only and best effort: no editor is started, their configurations are searched for the word ctx, nothing else. The
server is asked as an editor would, in a process of its own; without a folder, so that it indexes nothing.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import sys
import threading
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ..ast_lsp.lsp_process import start_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..ast_lsp.lsp_process import ProcessEnd

ANSWER_LIMIT_S = 10.0
"""Editors wait 3 s (eglot) to 30 s for the answer to `initialize`; a cold disk needs some of it."""
_END_LIMIT_S = 5.0
_FILES_MAX = 300
_FILE_BYTES_MAX = 256 << 10
_INITIALIZE, _SHUTDOWN = 1, 2
_GUIDE = "docs/editors.md has the two lines it takes"
_WORD = re.compile(rb"(?<![\w./-])ctx(?![\w-])")
"""The name by itself, as in `"ctx"`, `require("ctx")`, `[language-server.ctx]` (below), not `gl.ctx_new`."""
_TABLE = re.compile(rb"\[language-server\.ctx\]")


@dataclass(frozen=True, slots=True)
class EditorKind:
    """An editor: its programs, where its configuration is (patterns; `~` and `$XDG_CONFIG_HOME` are filled in).

    In `extensions` a folder of that name is the proof that it knows ctx, whatever the files say.
    """

    name: str
    programs: tuple[str, ...]
    files: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()


KINDS = (
    EditorKind(
        "Neovim",
        ("nvim",),
        ("{config}/nvim/init.lua", "{config}/nvim/init.vim", "{config}/nvim/**/*.lua", "{config}/nvim/**/*.vim"),
    ),
    EditorKind("Vim", ("vim",), ("{home}/.vimrc", "{home}/.vim/**/*.vim", "{home}/.vim/vimrc")),
    EditorKind(
        "Emacs",
        ("emacs",),
        ("{home}/.emacs", "{home}/.emacs.d/*.el", "{config}/emacs/*.el", "{config}/doom/*.el", "{home}/.doom.d/*.el"),
    ),
    EditorKind("Helix", ("hx", "helix"), ("{config}/helix/languages.toml",)),
    EditorKind("VS Code", ("code",), extensions=("{home}/.vscode/extensions/ctx-code.ctx-code-*",)),
    EditorKind("VSCodium", ("codium",), extensions=("{home}/.vscode-oss/extensions/ctx-code.ctx-code-*",)),
    EditorKind("Cursor", ("cursor",), extensions=("{home}/.cursor/extensions/ctx-code.ctx-code-*",)),
    EditorKind("code-server", ("code-server",), extensions=("{data}/code-server/extensions/ctx-code.ctx-code-*",)),
)


def editor_report(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what `ctx doctor --editor --json` says under "editor": the server's answer and a row for each editor."""
    return {
        "server": probe_server([sys.executable, "-m", "ctx", "lsp"], environ),
        "editors": installed_editors(environ),
    }


def editor_checks(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the report as rows of `ctx doctor`; only a server that does not answer is a failure."""
    server = report["server"]
    if server["answered"]:
        found = f"answered initialize after {server['elapsed_ms']:.0f} ms ({server['version']})"
        checks = [{"name": "ctx lsp", "ok": True, "found": found, "do": ""}]
    else:
        checks = [{"name": "ctx lsp", "ok": False, "found": server["problem"], "do": server["do"]}]
    for editor in report["editors"]:
        where = f"{editor['program']}; "
        if editor["knows_ctx"]:
            checks.append(_row(editor["name"], f"{where}ctx is in {editor['where']}"))
        else:
            checks.append(_row(editor["name"], f"{where}its configuration does not name ctx", _GUIDE))
    if not report["editors"]:
        checks.append(_row("editors", "none that ctx has a configuration for is on PATH", "docs/editors.md lists them"))
    return checks


def installed_editors(environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return a row for each editor on PATH: its program, whether its configuration names ctx, and which file does."""
    rows = []
    for kind in KINDS:
        program = next((found for name in kind.programs if (found := shutil.which(name, path=environ.get("PATH")))), "")
        if program:
            where = _where_named(kind, environ)
            row = {"name": kind.name, "program": _shown(program, environ), "knows_ctx": bool(where)}
            rows.append(row | {"where": _shown(where, environ) if where else ""})
    return rows


def probe_server(command: list[str], environ: Mapping[str, str], limit_s: float = ANSWER_LIMIT_S) -> dict[str, Any]:
    """Start the editor server, ask `initialize`, and end it; return what came of it.

    Keys: answered, elapsed_ms, version, problem, do (the last two "" when it answered).
    """
    if missing := _missing_package():
        return _unanswered(f"the package {missing} cannot be imported", f"pip install {missing}, or install ctx anew")
    visitor = _Visitor()
    begun_ns = perf_counter_ns()
    # Not in the segment: `-m` would take a package of the folder it starts in for ctx.
    connection = start_server(command, "/", dict(environ), visitor)
    try:
        connection.send(
            _request(_INITIALIZE, "initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": {}})
        )
        visitor.wait(_INITIALIZE, limit_s)
        elapsed_ms = (perf_counter_ns() - begun_ns) / 1e6
        connection.send(_request(_SHUTDOWN, "shutdown", None))
        visitor.wait(_SHUTDOWN, _END_LIMIT_S)
        connection.send({"jsonrpc": "2.0", "method": "exit"})
        connection.close_input()
        connection.join(_END_LIMIT_S)
    finally:
        connection.kill()
        connection.join(_END_LIMIT_S)
    answer = visitor.answers.get(_INITIALIZE)
    if answer is None:
        end = visitor.end
        why = f"no answer to initialize in {limit_s:.0f} s" if end is None or visitor.timed_out else end.describe()
        return _unanswered(why, "run `ctx lsp < /dev/null`: its standard error says more")
    if "result" not in answer:
        return _unanswered(f"initialize was refused: {answer.get('error', {}).get('message', '')}", "install ctx anew")
    info = answer["result"].get("serverInfo") or {}
    version = " ".join(str(info[key]) for key in ("name", "version") if info.get(key))
    return {"answered": True, "elapsed_ms": round(elapsed_ms, 3), "version": version, "problem": "", "do": ""}


class _Visitor:
    """Who the server's answers come to; a `Listener`."""

    def __init__(self) -> None:
        self.answers: dict[int, dict[str, Any]] = {}
        self.end: ProcessEnd | None = None
        self.timed_out = False
        self._changed = threading.Condition()

    def wait(self, number: int, limit_s: float) -> None:
        """Wait until a request is answered, the server is gone, or the time is up."""
        with self._changed:
            is_there = self._changed.wait_for(lambda: number in self.answers or self.end is not None, limit_s)
            self.timed_out = self.timed_out or not is_there

    def on_started(self, pid: int) -> None:
        """Nothing is asked of its process."""

    def on_message(self, message: dict[str, Any]) -> None:
        """Keep an answer; what else a server says at its start is left unsaid."""
        number = message.get("id")
        if isinstance(number, int) and "method" not in message:
            with self._changed:
                self.answers[number] = message
                self._changed.notify_all()

    def on_tick(self) -> float | None:
        """Nothing is to be done at a certain time."""
        return None

    def on_end(self, end: ProcessEnd) -> None:
        """Keep how it ended."""
        with self._changed:
            self.end = end
            self._changed.notify_all()


def _missing_package() -> str:
    try:
        import lsprotocol
        import pygls
    except ImportError as error:
        return (error.name or "pygls").partition(".")[0]
    del lsprotocol, pygls
    return ""


def _request(number: int, method: str, params: dict[str, Any] | None) -> dict[str, Any]:
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": number, "method": method}
    return message if params is None else message | {"params": params}


def _unanswered(problem: str, do: str) -> dict[str, Any]:
    return {"answered": False, "elapsed_ms": None, "version": "", "problem": problem, "do": do}


def _row(name: str, found: str, do: str = "") -> dict[str, Any]:
    return {"name": name, "ok": True, "found": found, "do": do}


def _where_named(kind: EditorKind, environ: Mapping[str, str]) -> str:
    """Return the first file of an editor's configuration that names ctx, or its extension's folder; "" for none."""
    for pattern in kind.extensions:
        for folder in sorted(glob.glob(_filled(pattern, environ))):
            return folder
    for count, path in enumerate(_files(kind, environ)):
        if count >= _FILES_MAX:
            break
        if _names_ctx(path):
            return path
    return ""


def _files(kind: EditorKind, environ: Mapping[str, str]) -> Iterator[str]:
    for pattern in kind.files:
        yield from glob.iglob(_filled(pattern, environ), recursive=True)


def _names_ctx(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(_FILE_BYTES_MAX)
    except OSError:
        return False
    return bool(_WORD.search(head) or _TABLE.search(head))


def _filled(pattern: str, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    data = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return pattern.format(home=glob.escape(home), config=glob.escape(config), data=glob.escape(data))


def _shown(path: str, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "")
    return "~" + path[len(home) :] if home and path.startswith(home + "/") else path
