"""`ctx stats` and `ctx doctor`: numbers and health, gathered from the index, the telemetry files and the machine."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...application.unparsed_files import failed_files
from ...application.validate import validate
from ...domain.errors import CtxError
from ...domain.telemetry.summary import servers_summary
from ..host.launch import running_host
from ..languages import LANGUAGES, grammar_of, query_source
from .daemon_command import changed_settings, host_status
from .runner import skipped_files
from .server_report import server_checks, server_report

if TYPE_CHECKING:
    from ..services import Services
    from .paint import Painter

SKIPPED_SHOWN = 20
DISK_BYTES_WANTED = 200 * 1024 * 1024


def stats_document(services: Services) -> dict[str, Any]:
    """Return the numbers of `ctx stats --json`; nothing is refreshed, these are the facts as they stand."""
    facts = services.store.facts()
    skipped = skipped_files(services)
    failed = failed_files(services.store)
    metrics = _json_file(services, "metrics.json")
    counters = {name: total for name, total in (metrics or {}).items() if isinstance(total, int)}
    return {
        "schema": "ctx.stats/1",
        "segment": services.segment_name,
        "index": {
            "files": facts.files,
            "chunks": facts.chunks,
            "tokens": facts.tokens,
            "bytes": facts.size_bytes,
            "as_of": facts.as_of,
            "complete": facts.complete,
            "languages": dict(facts.languages),
            "skipped": [{"path": path, "reason": reason} for path, reason in sorted(skipped)],
            "failed": [{"path": path, "reason": reason} for path, reason in failed.items()],
            "partial": [
                {"path": path, "reason": reason} for path, reason in services.store.partial() if path not in failed
            ],
        },
        "metrics": metrics,
        "lsp_servers": servers_summary(counters),
        "last_run": _json_file(services, "last_run.json"),
    }


def stats_text(document: dict[str, Any], paint: Painter) -> str:
    """Return the numbers for people."""
    index = document["index"]
    lines = [
        f"index      {paint('number', index['files'])} files, {paint('number', index['chunks'])} chunks, "
        f"{paint('number', index['tokens'])} tokens, {index['bytes'] / 1e6:.1f} MB"
        + ("" if index["complete"] else paint("bad", "  (never completed: run `ctx index`)")),
        f"as of      {index['as_of'] or 'never'}",
        "languages  " + (", ".join(f"{name} {count}" for name, count in index["languages"].items()) or "none"),
    ]
    for what in ("skipped", "failed"):
        rows = index[what]
        if rows:
            lines.append(f"{what:<10} {len(rows)}" + (" as text, without definitions" if what == "failed" else ""))
            lines += [f"  {paint('path', row['path'])}: {row['reason']}" for row in rows[:SKIPPED_SHOWN]]
            if len(rows) > SKIPPED_SHOWN:
                lines.append(f"  … and {len(rows) - SKIPPED_SHOWN} more (--json lists all)")
    if index["partial"]:
        lines.append(f"partial    {len(index['partial'])} with syntax errors; what was recovered is indexed")
    metrics = document["metrics"]
    if metrics:
        lines.append("all runs")
        lines += [
            f"  {name:<34} {value}" for name, value in sorted(metrics.items()) if isinstance(value, int) and value
        ]
    if document["lsp_servers"]:
        lines.append("language servers, all runs")
        lines += [_server_line(server, row, paint) for server, row in document["lsp_servers"].items()]
    last = document["last_run"]
    if last:
        lines.append(f"last run   {last.get('run_id', '')}  {last.get('ts', '')}")
        for cmd, row in sorted(last.get("latencies", {}).items()):
            lines.append(
                f"  {cmd:<20} n={row['count']:<6} p50 {row['p50_ms']:.2f} ms  p95 {row['p95_ms']:.2f} ms  "
                f"max {row['max_ms']:.2f} ms"
            )
        ast, read, sink = last.get("ast", {}), last.get("file_read", {}), last.get("telemetry", {})
        lines.append(f"  parse cache hit rate {_rate(ast.get('ast_cache_hit_rate'))}")
        lines.append("  handed on  " + ", ".join(f"{key.removesuffix('_bytes')} {read[key]} B" for key in sorted(read)))
        lines.append(f"  events     {sink.get('written', 0)} written, {sink.get('dropped', 0)} dropped")
    return "\n".join(lines)


def _server_line(server: str, row: dict[str, Any], paint: Painter) -> str:
    asked = f"{row['request_count']} questions, {row['timeout_count']} timeouts, "
    asked += f"fallback rate {_rate(row['fallback_rate'])}"
    mean = row["ready_ms_mean"]
    ready = "never ready" if mean is None else f"ready {row['ready_count']} times, after {mean:.0f} ms (mean)"
    return f"  {paint('name', server):<34} {asked}; {ready}"


def doctor_document(services: Services, *, with_editors: bool = False) -> dict[str, Any]:
    """Return every check with what was found and, when it fails, what to do; "editor" only when it was asked for."""
    files = [(language, path) for path, language, *_ in services.store.files()]
    host = host_status(services.segment)
    running = host["servers"] if host is not None else ()
    servers = server_report(services.segment, services.config, os.environ, files, running)
    checks = [
        _check("ctx", True, f"{__version__}, Python {platform.python_version()} ({platform.machine()})"),
        _sqlite_check(),
        *_grammar_checks(),
        _package_check("rs-bpe", f"tokenizer {services.config.text('tokens.encoding')}"),
        _package_check("ignore-python", "ignore rules"),
        _folder_check(services),
        _disk_check(services),
        *_index_checks(services),
        _telemetry_check(services),
        _host_check(services.segment, host),
        *server_checks(servers, services.config),
    ]
    editor = {}
    if with_editors:
        from .editor_report import editor_checks, editor_report

        editor = {"editor": editor_report(os.environ)}
        checks += editor_checks(editor["editor"])
    settings = {
        name: {
            "value": list(value) if isinstance(value, tuple) else value,
            "from": services.config.sources.get(name, "default"),
        }
        for name, value in services.config.values.items()
    }
    return {
        "schema": "ctx.doctor/1",
        "segment": services.segment_name,
        "healthy": all(check["ok"] for check in checks),
        "checks": checks,
        "servers": servers,
        **editor,
        "settings": settings,
    }


def doctor_text(document: dict[str, Any], paint: Painter) -> str:
    """Return the checks for people."""
    lines = []
    for check in document["checks"]:
        mark = paint("good", "ok  ") if check["ok"] else paint("bad", "FAIL")
        lines.append(f"{mark} {check['name']:<18} {check['found']}")
        if check["do"]:
            lines.append(f"     {'':<18} -> {check['do']}")
    changed = {name: row for name, row in document["settings"].items() if row["from"] != "default"}
    lines += [f"     {name} = {row['value']!r} ({row['from']})" for name, row in sorted(changed.items())]
    return "\n".join(lines)


def _check(name: str, ok: bool, found: str, do: str = "") -> dict[str, Any]:
    return {"name": name, "ok": ok, "found": found, "do": "" if ok else do}


def _sqlite_check() -> dict[str, Any]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute("CREATE VIRTUAL TABLE probe USING fts5(a, content='')")
        except sqlite3.OperationalError as error:
            return _check("sqlite", False, f"{sqlite3.sqlite_version}: {error}", "use a Python whose SQLite has FTS5")
    return _check("sqlite", True, f"{sqlite3.sqlite_version} with FTS5")


def _grammar_checks() -> list[dict[str, Any]]:
    checks = []
    for row in LANGUAGES:
        package = row.grammar_module.replace("_", "-")
        try:
            from tree_sitter import Query

            Query(grammar_of(row.name), query_source(row.name))
            checks.append(_check(f"grammar {row.name}", True, f"{package} {version(package)}"))
        except (CtxError, PackageNotFoundError, ValueError, OSError) as error:
            checks.append(_check(f"grammar {row.name}", False, str(error), f"pip install --force-reinstall {package}"))
    return checks


def _package_check(package: str, what: str) -> dict[str, Any]:
    try:
        return _check(package, True, f"{version(package)}: {what}")
    except PackageNotFoundError:
        return _check(package, False, "not installed", f"pip install {package}")


def _folder_check(services: Services) -> dict[str, Any]:
    if services.is_elsewhere:
        return _check("_ctx folder", False, "cannot be written; the user's cache is used", "give yourself write access")
    return _check("_ctx folder", True, "writable")


def _disk_check(services: Services) -> dict[str, Any]:
    folder = services.state_folder if os.path.isdir(services.state_folder) else services.segment
    free = shutil.disk_usage(folder).free
    return _check("disk", free >= DISK_BYTES_WANTED, f"{free / 1e9:.1f} GB free", "free some space: an index wants it")


def _index_checks(services: Services) -> list[dict[str, Any]]:
    facts = services.store.facts()
    if not facts.complete:
        return [_check("index", False, "never completed", "run `ctx index`")]
    found = f"{facts.files} files, {facts.chunks} chunks, {facts.size_bytes / 1e6:.1f} MB, as of {facts.as_of}"
    checks = [_check("index", True, found)]
    for problem in validate(services.store, services.files, services.pack_files):
        # Staleness mends itself with the next search; only what does not is a failure here.
        is_harmless = problem["kind"] == "index" and problem["message"].startswith("stale")
        checks.append(_check(problem["kind"], is_harmless, problem["message"], problem["message"].rpartition("; ")[2]))
    if skipped := len(skipped_files(services)):
        checks.append(_check("skipped", True, f"{skipped} files are not indexed (`ctx stats` lists them)"))
    return checks


def _telemetry_check(services: Services) -> dict[str, Any]:
    metrics = _json_file(services, "metrics.json") or {}
    dropped = metrics.get("telemetry_events_dropped", 0)
    attempted = metrics.get("telemetry_events_attempted", 0)
    found = f"level {services.telemetry.level}, {attempted} events attempted, {dropped} dropped"
    return _check(
        "telemetry", not dropped, found, "events were dropped: see docs/telemetry.md, 'when events are missing'"
    )


def _json_file(services: Services, name: str) -> dict[str, Any] | None:
    try:
        with open(os.path.join(services.telemetry.directory, name), "rb") as file:
            document = json.load(file)
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _host_check(segment: str, host: dict[str, Any] | None) -> dict[str, Any]:
    if host is None:
        pid = running_host(segment)[1]
        if pid:
            return _check("warm host", True, f"runs (process {pid}) and does not answer; `ctx daemon stop` ends it")
        return _check("warm host", True, "none runs (`ctx daemon start`); commands do their own work")
    memory_mib = (host["host_memory_bytes"] + host["servers_memory_bytes"]) >> 20
    changed = ", ".join(changed_settings(segment, host))
    found = f"runs, {host['served']} commands served, {memory_mib} MiB with its servers"
    if changed:
        found += f"; started before {changed} changed: `ctx daemon start` takes that over"
    return _check("warm host", True, found)


def _rate(rate: float | None) -> str:
    return "unknown" if rate is None else f"{rate:.1%}"
