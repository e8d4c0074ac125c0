"""The recipes of docs/telemetry.md and docs/telemetry-export.md, run on a recorded session with real output.

CTX_REWRITE_GOLD=1 writes the outputs into the pages anew. Without what it needs (jq, lnav) a test is skipped and
says so; with CTX_REQUIRE_EDITORS=1, as CI has it, it fails.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PAGE, EXPORT_PAGE = ROOT / "docs/telemetry.md", ROOT / "docs/telemetry-export.md"
SESSION = ROOT / "tests/fixtures/telemetry_session"
_CONSOLE = re.compile(r"^```console\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_SQL = re.compile(r"^```sql\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A segment with the recorded session's telemetry, which is where we are."""
    shutil.copytree(SESSION, tmp_path / "shop/_ctx/telemetry")
    monkeypatch.chdir(tmp_path / "shop")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("CTX_SEGMENT", raising=False)
    return tmp_path / "shop"


def _needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        give_up = pytest.fail if os.environ.get("CTX_REQUIRE_EDITORS") == "1" else pytest.skip
        give_up(f"{program} is not installed; scripts/install_editors.sh does it")
    return found


def _commands(block: str) -> list[str]:
    """Return the commands of a block without what they print; one goes on until its quotes are closed."""
    commands: list[str] = []
    for line in block.splitlines():
        if commands and commands[-1].count("'") % 2:
            commands[-1] += f"\n{line}"
        elif line.startswith("$ "):
            commands.append(line.removeprefix("$ "))
    return commands


def _table(found: duckdb.DuckDBPyRelation) -> str:
    """Return rows in columns, whichever way this version of DuckDB would draw them."""
    rows = [found.columns, *([str(cell) for cell in row] for row in found.fetchall())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _compare(page: Path, written: str, run: Callable[[re.Match[str]], str], pattern: re.Pattern[str]) -> None:
    made = pattern.sub(run, written)
    if os.environ.get("CTX_REWRITE_GOLD"):
        page.write_text(made, encoding="utf-8")
    else:
        assert written == made


def _output(command: str) -> str:
    command = re.sub(r"^ctx ", f"{sys.executable} -m ctx ", command)
    run = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=120)
    assert (0, "") == (run.returncode, run.stderr), command
    return re.sub(r"\b([0-9]+)\.0\b", r"\1", run.stdout)  # jq writes 1.0 as 1 before version 1.7


def test_every_jq_recipe_prints_what_the_page_shows(session: Path) -> None:
    """Each command of the page is run, and what it prints is what stands below it."""
    _needs("jq")
    seen: list[str] = []

    def run(block: re.Match[str]) -> str:
        commands = _commands(block[1])
        seen.extend(commands)
        shown = "".join(f"$ {command}\n{_output(command)}" for command in commands)
        return f"```console\n{shown}```\n"

    _compare(PAGE, PAGE.read_text("utf-8"), run, _CONSOLE)
    assert 15 <= sum(command.startswith("jq ") for command in seen)


def test_every_jq_recipe_ends_well_where_little_happened(session: Path) -> None:
    """After one command, with counters that nothing has counted yet, no recipe fails."""
    _needs("jq")
    telemetry = session / "_ctx/telemetry"
    (telemetry / "metrics.json").write_text('{"ast_cache_miss_count": 2, "lsp_request_count": 1}', "utf-8")
    first, *_others = (telemetry / "events.jsonl").read_text("utf-8").splitlines(keepends=True)
    (telemetry / "events.jsonl").write_text(first, "utf-8")
    for block in _CONSOLE.findall(PAGE.read_text("utf-8")):
        for command in _commands(block):
            if command.startswith("jq "):
                _output(command)


def test_every_duckdb_recipe_prints_what_the_page_shows(session: Path) -> None:
    """The SQL of the DuckDB section, in order, in one session."""
    written = EXPORT_PAGE.read_text("utf-8")
    before, section, after = re.split(r"(^## DuckDB\n.*?)(?=^## )", written, maxsplit=1, flags=re.MULTILINE | re.DOTALL)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    seen: list[str] = []

    def run(block: re.Match[str]) -> str:
        seen.append(block[1])
        shown = ""
        for statement in block[1].split(";\n"):
            if statement.strip():
                found = connection.sql(statement)
                shown = _table(found) if found is not None and "SELECT" == statement.split()[0] else ""
        return f"```sql\n{block[1]}```\n" + (f"\n```text\n{shown}```\n" if shown else "")

    made = before + _SQL.sub(run, section) + after
    if os.environ.get("CTX_REWRITE_GOLD"):
        EXPORT_PAGE.write_text(made, encoding="utf-8")
    else:
        assert written == made
    assert 5 <= len(seen)


def test_lnav_reads_the_format_and_answers_the_page_s_query(session: Path, tmp_path: Path) -> None:
    """lnav takes the format file without a word and shows the events by it."""
    lnav = _needs("lnav")
    formats = tmp_path / "config/formats/ctx"
    formats.mkdir(parents=True)
    shutil.copy(ROOT / "docs/lnav/ctx_events.json", formats)
    (query,) = re.findall(r"^;SELECT .*$", EXPORT_PAGE.read_text("utf-8"), re.MULTILINE)

    def run(*arguments: str) -> str:
        command = [lnav, "-I", str(tmp_path / "config"), *arguments]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL
        )
        assert (0, "") == (ended.returncode, ended.stderr)
        return ended.stdout

    assert "" == run("-C")
    lines = run("-n", "_ctx/telemetry/events.jsonl").splitlines()
    events = [json.loads(line) for line in (SESSION / "events.jsonl").read_text("utf-8").splitlines()]
    assert len(events) == len(lines)
    assert any(re.search(r"lsp\.fallback +0 ms shop/cart\.py ty timeout$", line) for line in lines)
    rows = run("-n", "-c", query, "_ctx/telemetry/events.jsonl").splitlines()
    assert ["cmd", "n", "slowest_ms"] == rows[0].split()
    searches = [event["timing_ms"] for event in events if event["cmd"] == "ctx.search"]
    assert ["ctx.search", str(len(searches)), str(max(searches))] in [row.split() for row in rows]
    levels = run("-n", "-c", ";SELECT log_level, count(*) FROM ctx_events GROUP BY 1", "_ctx/telemetry/events.jsonl")
    assert {"error", "warning", "info"} == {row.split()[0] for row in levels.splitlines()[1:]}


def test_the_recorded_session_is_valid(session: Path) -> None:
    """What the pages show is of files that are as they must be, also when strict."""
    assert "valid; 0 wrong, 0 odd" in _output("ctx telemetry validate --strict")


def test_export_to_sqlite_answers_the_page_s_query(session: Path) -> None:
    """The columns that the page names are there."""
    import sqlite3
    from contextlib import closing

    subprocess.run(
        [sys.executable, "-m", "ctx", "telemetry", "export", "--format", "sqlite", "-o", "events.db"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    (query,) = re.findall(r'^\$ sqlite3 events\.db "(.*)"$', EXPORT_PAGE.read_text("utf-8"), re.MULTILINE)
    with closing(sqlite3.connect("events.db")) as database:
        assert {"ctx.search", "ctx.get", "ctx.resolve"} < {row[0] for row in database.execute(query)}
        columns = [row[1] for row in database.execute("PRAGMA table_info(events)")]
    named = re.search(r"^The columns: (.*?)\.$", EXPORT_PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert named
    assert columns == re.findall(r"`(\w+)`", named[1])


def test_the_reference_has_every_key_of_the_report(session: Path) -> None:
    """The table of the report's document names its keys and no other."""
    section = (ROOT / "docs/telemetry-reference.md").read_text("utf-8").partition("## The report as JSON\n")[2]
    rows = re.findall(r"^\| (`.*?`) \|", section.partition("\n## ")[0], re.MULTILINE)
    named = [key.partition(".")[0] for row in rows for key in re.findall(r"`([\w.]+)`", row)]
    assert sorted(json.loads(_output("ctx telemetry report --json"))) == sorted(named)
