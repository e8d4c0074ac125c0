"""`ctx telemetry validate` and `ctx telemetry schema`: whether telemetry is as it must be, and what that is."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...domain.telemetry.figures import many
from ...domain.terminal_text import without_controls
from .runner import EXIT_NOTHING, EXIT_OK, Outcome, look_and_show, progress, write_to_end

if TYPE_CHECKING:
    from ...application.telemetry_validate import Validation
    from ...domain.telemetry.findings import Finding, Severity
    from .paint import Painter

COMMAND = "telemetry validate"
SCHEMA = "ctx.telemetry_validate/1"
_MEGABYTE = 1_000_000
_MESSAGE_CHARS_MAX = 300


def run_validate(
    places: tuple[str, ...], *, is_strict: bool, is_recursive: bool, segment: str | None, as_json: bool
) -> int:
    """`ctx telemetry validate`: check lines and summaries; exit code 1 when something is wrong (strict: or odd)."""
    from ..event_sources import default_places

    def look() -> Outcome:
        return _outcome(_validated(default_places(places, segment), is_recursive=is_recursive), is_strict=is_strict)

    return look_and_show(COMMAND, look, as_json=as_json)


def run_schema() -> int:
    """`ctx telemetry schema`: print the JSON Schema of an event line."""

    def write() -> int:
        sys.stdout.write(schema_text())
        sys.stdout.flush()
        return EXIT_OK

    return write_to_end("telemetry schema", write)


def schema_text() -> str:
    """Return the published schema as it is printed, and as docs/telemetry.schema.json holds it."""
    from ...domain.telemetry.event_schema import telemetry_schema

    return json.dumps(telemetry_schema(), indent=1, ensure_ascii=False) + "\n"


def _validated(places: tuple[str, ...], *, is_recursive: bool) -> Validation:
    import orjson

    from ...application.telemetry_validate import ValidateTelemetry
    from ..telemetry_files import telemetry_files

    files = telemetry_files(places, is_recursive=is_recursive)
    total = sum(file.size_bytes for place in files for file in place.events) // _MEGABYTE
    with progress("validating (MB)") as tell:
        return ValidateTelemetry(orjson.loads)(files, lambda done_bytes: tell(done_bytes // _MEGABYTE, total))


def _outcome(validation: Validation, *, is_strict: bool) -> Outcome:
    findings = validation.findings
    is_valid = validation.is_valid(is_strict=is_strict)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "valid": is_valid,
        "strict": is_strict,
        "files": validation.files,
        "events": validation.events,
        "runs": validation.runs,
        "bytes": validation.size_bytes,
    }
    for severity in _severities():
        document[severity] = {
            "total": findings.total(severity),
            "kinds": dict(sorted(findings.counts[severity].items())),
            "first": [_row(_shown(finding)) for finding in findings.kept[severity]],
        }
    return Outcome(
        document,
        lambda paint: _text(validation, paint, is_strict=is_strict, is_valid=is_valid),
        EXIT_OK if is_valid else EXIT_NOTHING,
    )


def _severities() -> tuple[Severity, ...]:
    return ("wrong", "odd")


def _row(finding: Finding) -> dict[str, Any]:
    line = {"line": finding.line_1based} if finding.line_1based else {}
    return {"kind": finding.kind, "file": finding.place, **line, "message": finding.message}


def _shown(finding: Finding) -> Finding:
    """Return a finding as it may be printed: a file of anybody's may hold anything, secrets among it."""
    from ...domain.telemetry.redaction import truncated
    from ..secrets import redact_secrets

    return replace(finding, message=truncated(redact_secrets(finding.message), _MESSAGE_CHARS_MAX))


def _text(validation: Validation, paint: Painter, *, is_strict: bool, is_valid: bool) -> str:
    findings = validation.findings
    lines: list[str] = []
    for severity in _severities() if is_strict else ("wrong",):
        kept = findings.kept[severity]
        style = "bad" if severity == "wrong" else "kind"
        lines += [f"{paint(style, severity)} {without_controls(str(_shown(finding)))}" for finding in kept]
        left_out = findings.total(severity) - len(kept)
        if left_out:
            lines.append(f"{paint(style, severity)} … and {left_out:,} more")
    wrong, odd = findings.total("wrong"), findings.total("odd")
    counted = (
        f"{many(validation.events, 'event')} of {many(validation.runs, 'run')} in {many(validation.files, 'file')}"
    )
    verdict = paint("good", "valid") if is_valid else paint("bad", "not valid")
    lines.append(f"{counted}: {verdict}; {wrong:,} wrong, {odd:,} odd")
    if odd and not is_strict:
        lines.append(
            "What is odd is no fault (a gap, half a line at the end, what a later version added); --strict names it."
        )
    return "\n".join(lines)
