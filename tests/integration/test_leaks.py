"""A hostile user, a hostile repository and a hostile server: no secret, no home and no place in anything ctx keeps.

Secrets are made at run time (`made_secrets`). Everything written is read back as bytes: the segment's `_ctx/`, the
state, cache and runtime folders, and what agents, editors and the telemetry commands are handed. Nothing of a secret
may be there, not even 12 characters in a row.

`-s` prints how many cases each kind had; `CTX_LEAKS_TABLE=FILE` writes it, too.
"""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.editor_client import RawEditor
from tests.integration.conftest import REPOSITORY, Sandbox
from tests.language_server_scenarios import DEFINITION, Scenario, ScriptedServer, error
from tests.made_secrets import Made, Maker, windows
from tests.mcp_lines import LineClient

from ctx.infrastructure.host.host_log import HostLog
from ctx.infrastructure.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ALONE = {"CTX_DAEMON": "off"}
_TRIED: Counter[str] = Counter()
_ALL = Maker(1).all()
_ONE_LINE = [made for made in _ALL if "\n" not in made.text]
_SOURCES_KEPT = ("index.db", "context_pack.json", "unsaved")
"""What holds sources by design: looked at where no source holds a secret, left out where one does."""


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    yield
    rows = [f"| {kind} | {count} | 0 |" for kind, count in sorted(_TRIED.items())]
    table = "\n".join(["| kind | cases tried | leaks |", "|---|---|---|", *rows, f"| all | {_TRIED.total()} | 0 |"])
    print(f"\n{table}")  # noqa: T201 - for who runs it with -s
    if os.environ.get("CTX_LEAKS_TABLE"):
        Path(os.environ["CTX_LEAKS_TABLE"]).write_text(table + "\n")


def _written(*folders: Path, has_sources: bool = False) -> dict[str, bytes]:
    """Return every file below the folders by its path."""
    return {
        str(path): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not (has_sources and any(kept in path.name for kept in _SOURCES_KEPT))
    }


def _leaks(made: Iterable[Made], written: dict[str, bytes]) -> list[tuple[str, str, bytes]]:
    """Return where a part of a secret is."""
    text = {name: data for name, data in written.items() if data}
    found = []
    for one in made:
        for window in windows(one.secret):
            part = window.encode()
            found += [
                (one.kind, name, data[max(0, data.find(part) - 60) :][:160])
                for name, data in text.items()
                if part in data
            ]
    return found[:5]


def _segment(tmp_path: Path) -> Path:
    folder = tmp_path / "segment"
    folder.mkdir()
    return folder


def _kept(sandbox: Sandbox, *, has_sources: bool = False) -> dict[str, bytes]:
    """Return what ctx wrote into the segment, the user's folders and the host's."""
    return _written(sandbox.segment / "_ctx", sandbox.home, sandbox.runtime, has_sources=has_sources)


def _as_bytes(name: str, *texts: str) -> dict[str, bytes]:
    return {f"{name} {number}": text.encode("utf-8", "surrogateescape") for number, text in enumerate(texts)}


def _outputs(sandbox: Sandbox, *places: str) -> dict[str, bytes]:
    """Return what the telemetry commands make of the records."""
    out = sandbox.root / "out"
    out.mkdir(exist_ok=True)
    found: dict[str, bytes] = {}
    commands: dict[str, tuple[str, ...]] = {
        "report": ("report",),
        "report --json": ("report", "--json"),
        "report --html": ("report", "--html", str(out / "report.html")),
        "tail": ("tail", "-n", "100000"),
        "tail --json": ("tail", "-n", "100000", "--json"),
        "validate": ("validate", "--json"),
        "otlp": ("export", "--format", "otlp", "-o", str(out / "otlp.jsonl"), "--force"),
        "csv": ("export", "--format", "csv", "-o", str(out / "events.csv"), "--force"),
        "sqlite": ("export", "--format", "sqlite", "-o", str(out / "events.sqlite"), "--force"),
    }
    if not places:
        commands["trace"] = ("trace", "-o", str(out / "trace.json"))
    for name, (command, *options) in commands.items():
        run = sandbox.run("telemetry", command, *places, *options)
        assert "Traceback" not in run.err, run
        assert "internal error" not in run.err, run
        found |= _as_bytes(name, run.out, run.err)
    files = _written(out)
    assert {"report.html", "otlp.jsonl", "events.csv", "events.sqlite"} <= {Path(name).name for name in files}
    with sqlite3.connect(out / "events.sqlite") as database:  # its pages may hold a text in two parts
        found["sqlite dump"] = "\n".join(database.iterdump()).encode("utf-8", "replace")
    database.close()
    return found | files


def test_a_leak_is_seen(tmp_path: Path) -> None:
    """The look itself: a secret in a file is found, whole and by 12 characters of it, and a marked one is not."""
    made = next(one for one in _ALL if one.kind == "github")
    for said, is_one in (
        (made.secret, True),
        (made.secret[9:21], True),
        (made.secret[9:20], False),
        ("[REDACTED:x]", False),
    ):
        (tmp_path / "file").write_text(f"a {said} b")
        assert is_one == bool(_leaks([made], _written(tmp_path)))
    (tmp_path / "index.db").write_text(made.secret)
    assert (False, True) == tuple(bool(_leaks([made], _written(tmp_path, has_sources=kept))) for kept in (True, False))


# ---------------------------------------------------------------------- the command line and the host


def test_what_is_asked_on_the_command_line(repository: Sandbox) -> None:
    """Each secret as a question, and in turn as id, path, symbol, filter and file of other commands."""
    others = (
        lambda text: ("get", text),
        lambda text: ("get", f"{text}#x@1a2b3c4d"),
        lambda text: ("resolve", text),
        lambda text: ("refs", f"shop/cart.py#{text}"),
        lambda text: ("hover", text),
        lambda text: ("map", text),
        lambda text: ("search", "cart", "--path", text),
        lambda text: ("search", "-F", text),
        lambda text: ("search", "cart", "--kind", text, "--lang", text),
        lambda text: ("search", "cart", "--focus", text),
        lambda text: ("get", "--ids", f"shop/cart.py,{text}"),
        lambda text: ("index", text),
    )
    commands: list[tuple[str, ...]] = [("index",)]
    for number, made in enumerate(_ALL):
        commands.append(("search", "--", f"why does {made.text} fail"))
        command, *rest = others[number % len(others)](made.text)
        commands.append((command, *rest))
    for run in repository.run_each(commands, env=ALONE):
        assert "Traceback" not in run.err, run
    for level in ("full",):
        for made in _ALL[::6]:
            repository.run("search", "--", made.text, env=ALONE | {"CTX_TELEMETRY": level})
    assert [] == _leaks(_ALL, _kept(repository) | _outputs(repository))
    assert len(commands) <= sum(event["cmd"].startswith("ctx.") for event in repository.events()) + 20
    assert any("[REDACTED:" in json.dumps(event["args"]) for event in repository.events())
    _TRIED["question, id, path, symbol, filter (command line)"] += len(commands) - 1


def test_what_the_environment_and_the_settings_say(repository: Sandbox) -> None:
    """Values of variables and of the configuration file, which warnings and errors repeat."""
    made = _ONE_LINE[::4]
    for one in made:
        repository.run("search", "cart", env=ALONE | {"CTX_TELEMETRY": one.text, "CTX_LSP_COLD": one.text})
        repository.run("search", "cart", env=ALONE | {"CTX_SEARCH_LIMIT": one.text})
        quoted = json.dumps(one.text)
        repository.write({"_ctx/config.toml": f"[{quoted}]\nx = {quoted}\n[telemetry]\n{quoted} = {quoted}\n"})
        repository.run("stats", env=ALONE)
        (repository.segment / "_ctx/config.toml").unlink()
    assert [] == _leaks(made, _kept(repository) | _outputs(repository))
    _TRIED["environment and settings"] += 3 * len(made)


def test_what_a_warm_host_is_asked(repository: Sandbox) -> None:
    """A host's record, its log and what `ctx daemon` prints of it; a host's own failures are in its log, too."""
    made = _ONE_LINE[::3]
    assert 0 == repository.run("daemon", "start").exit_code
    for one in made:
        repository.run("search", "--", one.text)
        repository.run("resolve", "--", one.text)
    logged = HostLog(str(repository.segment / "_ctx"), str(repository.segment))
    for one in _ALL:
        logged.write("backend", f"OSError: cannot open {one.text} for reading " + "x" * 2000 + one.text)
    shown = repository.run("daemon", "logs", "-n", "100000")
    status = repository.run("daemon", "status", "--json")
    assert 0 == repository.run("daemon", "stop").exit_code
    printed = _as_bytes("daemon", shown.out, status.out)
    assert b"OSError" in printed["daemon 0"]
    assert [] == _leaks(_ALL, _kept(repository) | printed | _outputs(repository))
    _TRIED["warm host: questions and log"] += 2 * len(made) + len(_ALL)


# ---------------------------------------------------------------------- agents and editors


def test_what_an_agent_asks(repository: Sandbox) -> None:
    """Questions, ids, symbols, filters, cursors, roots, wrong types and URIs: neither kept nor repeated."""
    client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=ALONE))
    client.handshake()
    heard: list[str] = []
    tried = 0

    def ask(method: str, params: dict[str, Any]) -> None:
        nonlocal tried
        tried += 1
        heard.append(json.dumps(client.answer_to(client.start(method, params)), ensure_ascii=False))

    for number, made in enumerate(_ALL):
        text = made.text
        calls: list[tuple[str, dict[str, Any]]] = [
            ("ctx_search", {"query": f"why does {text} fail"}),
            ("ctx_get", {"id": text}),
            ("ctx_resolve", {"symbol": text}),
            ("ctx_refs", {"symbol": f"shop/cart.py#{text}"}),
            ("ctx_map", {"paths": [text]}),
            ("ctx_search", {"query": text, "mode": "literal"}),
            ("ctx_search", {"query": "cart", "path": text, "kind": text}),
            ("ctx_search", {"query": "cart", "limit": text, "focus": text}),
            ("ctx_search", {"query": "cart", "mode": text}),
            ("ctx_search", {"query": "cart", "cursor": text}),
            ("ctx_get", {"ids": ["shop/cart.py", text]}),
            ("ctx_search", {text: 1}),
            (text, {}),
        ]
        for tool, arguments in (calls[0], calls[1 + number % 4], calls[5 + number % 8]):
            ask("tools/call", {"name": tool, "arguments": arguments})
        if number % 4 == 0:
            ask("resources/read", {"uri": f"ctx://skeleton/{text.split()[0]}"})
            ask("resources/read", {"uri": text.split()[0]})
    assert 0 == client.end()
    assert client.process.stderr is not None
    printed = _as_bytes("agent", *heard, client.process.stderr.read().decode())
    assert [] == _leaks(_ALL, _kept(repository) | printed | _outputs(repository))
    _TRIED["agent: arguments, wrong types, tools, URIs"] += tried


def test_cut_questions_of_an_agent(repository: Sandbox) -> None:
    """A secret at every place around where messages and reasons are cut leaves nothing of it."""
    client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=ALONE))
    client.handshake()
    made = [one for one in _ONE_LINE if one.kind in {"github", "anthropic", "aws", "url", "password="}]
    heard: list[str] = []
    for one in made:
        for offset in range(0, 220, 7):
            text = ("lorem " * 40)[:offset] + " " + one.text + " and what comes behind it" * 20
            asked: tuple[dict[str, Any], ...] = (
                {"query": text},
                {"query": "x", "limit": text},
                {"query": "x", "mode": text},
            )
            heard += [json.dumps(client.call("ctx_search", arguments), ensure_ascii=False) for arguments in asked]
    assert 0 == client.end()
    assert [] == _leaks(made, _kept(repository) | _as_bytes("agent", *heard))
    _TRIED["cut messages of an agent's server"] += len(heard)


def test_what_an_editor_says(repository: Sandbox) -> None:
    """Unsaved texts, wrong arguments, unknown commands and URIs: not in the log, not in errors, not kept."""
    editor = RawEditor(repository, "--log-level", "debug")
    editor.initialize()
    made = _ONE_LINE[::2]
    errors: list[str] = []
    text = (
        'import os\n\n\ndef unsaved(x="1"):\n' + "".join(f"    # {one.text}\n" for one in _ONE_LINE) + "    return x\n"
    )
    editor.open(editor.uri("shop/unsaved.py"), text)
    for one in made:
        for command, arguments in (
            ("ctx.search", {"query": 1, one.text: one.text}),
            ("ctx.search", {"query": "x", "limit": one.text}),
            ("ctx.get", {"targets": [one.text]}),
            ("ctx.refs", {"selector": one.text, "view": one.text}),
            ("ctx.map", {"paths": [one.text]}),
            (one.text, {}),
        ):
            errors.append(
                json.dumps(
                    editor.refused("workspace/executeCommand", {"command": command, "arguments": [arguments]}),
                    ensure_ascii=False,
                )
            )
        editor.ask("workspace/executeCommand", {"command": "ctx.search", "arguments": [{"query": one.text}]})
        editor.ask("workspace/symbol", {"query": one.text})
        editor.open(f"file:///nowhere/{one.text.split()[0]}/x.py", "x = 1\n")
        editor.begin(f"ctx/{one.text.split()[0]}", {})
    editor.ask("shutdown", None)
    logged = [json.dumps(m, ensure_ascii=False) for m in editor.told if m["method"].startswith("window/")]
    editor.tell("exit", None)
    editor.process.wait(60)
    assert editor.process.stderr is not None
    stderr = editor.process.stderr.read().decode()
    editor.end()
    assert [] == repository.leftovers()  # the editor's host writes its last words, and removes its files
    printed = _as_bytes("editor", *errors, *logged, stderr)
    assert [] == _leaks(_ONE_LINE, _kept(repository, has_sources=True) | printed | _outputs(repository))
    _TRIED["editor: unsaved texts, commands, URIs, methods"] += len(_ONE_LINE) + 10 * len(made)


def test_what_a_language_server_says(repository: Sandbox, tmp_path: Path) -> None:
    """Error messages and standard error of a server."""
    repository.ok("index")
    made = _ONE_LINE[::9]
    heard: list[str] = []
    for number, one in enumerate(made):
        scenario = Scenario(turns={DEFINITION: [[error(-32603, f"cannot log in with {one.text}")]]})
        with ScriptedServer(tmp_path / f"server{number}", scenario) as server:
            script = tmp_path / f"server{number}.sh"
            script.write_text(f"echo {shlex.quote(one.text)} >&2; exec {shlex.join(server.command)}\n")
            env = {
                "CTX_LSP_ENABLED": "1",
                "CTX_LSP_COMMANDS": f"ty=sh {script}",
                "CTX_LSP_COLD": "ty",
                "CTX_LSP_DEADLINE_MS": "20000",
            }
            run = repository.run("resolve", "shop/cart.py:22:21", "--json", env=ALONE | env)
            heard += [run.out, run.err]
            client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=ALONE | env))
            client.handshake()
            heard.append(json.dumps(client.call("ctx_resolve", {"symbol": "shop/cart.py:22:21"})))
            assert 0 == client.end()
    said = [json.loads(text)["server"] for text in heard if text.startswith('{"schema"')]
    assert {"error"} == {server["status"] for server in said}, said
    assert all("REDACTED" in server["detail"] for server in said), said
    assert [] == _leaks(made, _kept(repository) | _as_bytes("agent", *heard) | _outputs(repository))
    _TRIED["language server: errors, standard error"] += 2 * len(made)


# ---------------------------------------------------------------------- names


def test_names_of_files_and_folders(sandbox: Sandbox) -> None:
    """A secret in the name of the segment, of a folder and of a file is in no record of what was done with them."""
    made = [one for one in _ALL if one.secret == one.text and "/" not in one.text and len(one.text) < 200][::9]
    for one in made:
        segment = sandbox.root / one.text
        sandbox.write(REPOSITORY | {f"{one.text}/{one.text}.py": "def inner():\n    return 1\n"}, below=segment)
        for arguments in (
            ("index",),
            ("search", "inner"),
            ("get", f"{one.text}/{one.text}.py"),
            ("get", str(segment / one.text / "gone.py")),
            ("map",),
            ("stats",),
        ):
            run = sandbox.run(*arguments, cwd=segment, env=ALONE)
            assert "Traceback" not in run.err, run
        kept = _written(segment / "_ctx", sandbox.home, has_sources=True)
        contents = {str(number): data for number, data in enumerate(kept.values())}
        assert [] == _leaks([one], contents | _outputs(sandbox, str(segment)))
    _TRIED["names of segments, folders and files"] += 6 * len(made)


_HOSTILE_PATHS = [
    "/home/{user}/notes.txt",
    "~/notes.txt",
    "~{user}/notes.txt",
    "file:///home/{user}/a%20b.txt",
    "file://server/share/{user}/x.txt",
    "FILE:///home/{user}/x",
    r"C:\Users\{user}\notes.txt",
    "C:/Users/{user}/notes.txt",
    "c:\\Users\\{user}",
    r"\\server\share\{user}\notes.txt",
    r"\\?\C:\Users\{user}\notes.txt",
    r"\\.\C:\Users\{user}",
    r"\\?\UNC\server\share\{user}\x",
    "//server/share/{user}/notes.txt",
    "/home/{user}/Büro/Ünïcödé/日本語.txt",
    "/Users/{user}/Schreibtisch/é x.txt",
    "vscode-remote://ssh-remote+h/home/{user}/x.py",
    "vscode-vfs://x/home/{user}/x.py",
    "-I/home/{user}/include",
    "--path=/home/{user}/x",
    "PATH=/usr/bin:/home/{user}/bin",
    "(/home/{user}/x)",
    "'/home/{user}/x y'",
    "error:/home/{user}/x:12:3",
    "/home/{user}",
    "/mnt/c/Users/{user}/x",
    "file:/home/{user}/x",
    "file:///C:/Users/{user}/x.txt",
    "file:///c%3A/Users/{user}/x.txt",
    "/export/home/{user}/x",
    "/var/home/{user}/x",
]


def test_homes_and_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's name and no absolute path is in an event, in whatever form and sentence it came."""
    user = "quentinusertest"
    monkeypatch.setenv("HOME", f"/home/{user}")
    telemetry = Telemetry(_segment(tmp_path))
    for form in _HOSTILE_PATHS:
        path = form.format(user=user)
        for said in (path, f"why does {path} fail", f"{path}, and {path}; or <{path}>"):
            telemetry.event("ctx.search", {"query": said, "file": path, "task": said}, {"x": said}, 1, [said], y=[said])
        telemetry.event("ctx.get", {"ids": [path]}, {path: {path: path}}, 1)
    telemetry.close()
    written = b"".join(_written(tmp_path / "segment").values()).decode()
    assert 4 * len(_HOSTILE_PATHS) <= written.count('"cmd"')
    assert [] == [line for line in written.splitlines() if user in line][:3]
    assert [] == [place for place in ("/home/", "Users\\\\", "C:/", "\\\\\\\\server") if place in written]
    _TRIED["homes, drives, servers and URIs"] += 4 * len(_HOSTILE_PATHS)


# ---------------------------------------------------------------------- the record itself


def test_every_field_of_an_event(tmp_path: Path) -> None:
    """Arguments, results, extra fields, keys, warnings, names of events, counters, servers and runs."""
    _segment(tmp_path)
    for number, made in enumerate(_ALL):
        text = made.text
        telemetry = Telemetry(tmp_path / "segment", run_id=text if number % 2 else "")
        telemetry.event("ctx.search", {"query": text, "task": text, "symbol": text, "ids": [text], "id": text}, {}, 1)
        telemetry.event("ctx.search", {"query": "x"}, {"a": {"b": [{"c": text}]}, text: 1}, 1, [text, f"x {text} y"])
        telemetry.event("ctx.get", {}, {"error": f"cannot open {text}"}, 1, None, extra=text, nested={text: text})
        telemetry.event(text, {"query": "x"}, {"output_tokens": 3}, 1)
        telemetry.event(f"ctx.{text}", {}, {}, 1)
        for cmd in ("lsp.definition", "lsp.ready", "lsp.fallback", "lsp.timeout"):
            telemetry.event(cmd, {"server": text, "method": text, "file": text}, {}, 1)
        telemetry.observe(text, 1.5)
        telemetry.incr(text)
        with pytest.raises(ValueError, match="refused"), telemetry.timed("ctx.map", {"task": text}):
            raise ValueError(f"refused {text}")
        telemetry.close()
    written = _written(tmp_path / "segment")
    assert {"events.jsonl", "metrics.json", "last_run.json"} <= {Path(name).name for name in written}
    assert [] == _leaks(_ALL, written)
    _TRIED["fields, keys, names, counters, runs of events"] += 20 * len(_ALL)


def test_every_cut_of_an_event(tmp_path: Path) -> None:
    """A secret at every offset of what is cut to 120 characters, in arguments, lists and warnings."""
    telemetry = Telemetry(_segment(tmp_path))
    for made in _ALL:
        for offset in range(122):
            text = ("lorem ipsum " * 12)[:offset] + " " + made.text + " dolor" * 30
            telemetry.event("ctx.search", {"query": text}, {}, 1, [text] if offset % 4 == 0 else None)
            _TRIED["secrets split by truncation"] += 1
    telemetry.close()
    written = _written(tmp_path / "segment")
    marks = sum(
        data.count(b"REDACTED") for name, data in written.items() if name.endswith(".jsonl")
    )  # some are rotated
    assert 100 * len(_ALL) < marks
    assert [] == _leaks(_ALL, written)


def test_what_is_spilled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Critical events that cannot be written to the segment wait elsewhere, as clean as they would have been there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "segment").mkdir()
    (tmp_path / "segment/_ctx").write_text("no folder")
    made = _ALL[::2]
    for one in made:
        telemetry = Telemetry(tmp_path / "segment", run_id=one.text)
        telemetry.event("lsp.ready", {"server": one.text, "file": one.text}, {"x": one.text}, 1, [one.text])
        telemetry.close()
    written = _written(tmp_path / "state")
    names = {f"name {number}": name.encode() for number, name in enumerate(written)}
    assert len(written) >= len(made) // 2
    assert [] == _leaks(made, written | names)
    _TRIED["spilled events"] += len(made)
