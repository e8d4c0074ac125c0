"""Records as OTLP/JSON: the data of traces, logs and metrics that an OpenTelemetry collector's file receiver reads.

Follows the OTLP specification's "JSON Protobuf Encoding" (keys in lowerCamelCase, trace and span ids as hexadecimal
digits, 64-bit integers as texts, enums as numbers, nothing that has its default value) and the Semantic Conventions of
`SCHEMA_URL` wherever they have a name for what ctx knows; what they have none for is named `ctx.…`. docs/telemetry.md
has the table. Counts of tokens are not `gen_ai.usage.*`: those are what a model was paid for, and ctx asks none.

Ids are hashes of what tells a run and an event from any other, so that an event exported twice is one span.
"""

from __future__ import annotations

import hashlib
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .events import is_lsp_request
from .records import INTEGER_MAX
from .spans import Span, SpanKind, failure_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .records import Record

SCHEMA_URL = "https://opentelemetry.io/schemas/1.40.0"
INTERNAL, CLIENT = 1, 3
INFO, WARN, ERROR = (9, "INFO"), (13, "WARN"), (17, "ERROR")
_STATUS_ERROR = 2
_INTEGER_MIN = -INTEGER_MAX - 1
_DEPTH_MAX = 16
_KNOWN_CHARS_MAX = 64
# The conventions' namespace for instance ids that are derived from something.
_INSTANCES = uuid.UUID("4d63009a-8d0f-11ee-aad7-4c796ed8e320")
_STEPS = frozenset({"lsp.spawn", "lsp.initialize", "lsp.ready"})
_WORKSPACE_METHODS = {"symbol": "workspace/symbol", "workspaceSymbol": "workspace/symbol"}
_ARGS = {"file": "file.path"}
_REQUEST_ARGS = {"file": "code.file.path", "line": "code.line.number"}
_RESULTS = {"file_bytes": "file.size", "exit_code": "process.exit.code"}
_EXTRAS = {"repo_sha": "vcs.ref.head.revision"}

Json = dict[str, Any]


# Resources: one process of one run.


def resource(record: Record, version: str) -> Json:
    """Return the resource of the process that wrote a record."""
    return _resource(record.segment, record.segment_id, record.run_id, record.pid, version)


@lru_cache(maxsize=4096)
def _resource(segment: str, segment_id: str, run_id: str, pid: int, version: str) -> Json:
    known = {
        "service.name": "ctx",
        "service.version": version,
        "service.instance.id": instance_id(f"{segment_id}/{run_id}/{pid}"),
        "process.pid": pid,
        "ctx.run_id": run_id,
        "ctx.segment": segment,
        "ctx.segment_id": segment_id,
    }
    return {"attributes": attributes(known)}


def instance_id(told: str) -> str:
    """Return the id that the conventions derive from what tells an instance from others."""
    return str(uuid.uuid5(_INSTANCES, told))


def scope(version: str) -> Json:
    """Return the scope of everything ctx exports."""
    return {"name": "ctx", "version": version}


@lru_cache(maxsize=4096)
def trace_id(segment_id: str, run_id: str) -> str:
    """Return the 32 hexadecimal digits of a run's trace."""
    return hashlib.blake2b(f"{segment_id}\0{run_id}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def span_id(kind: SpanKind, record: Record) -> str:
    """Return the 16 hexadecimal digits of the span of that kind which an event tells of."""
    told = f"{record.segment_id}\0{record.run_id}\0{record.pid}\0{record.seq}\0{record.end_us}\0{kind.value}"
    return hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=8).hexdigest()


# Attributes.


def attributes(values: Mapping[str, Any]) -> list[Json]:
    """Return the values as key-value pairs; what is None is left out."""
    return [
        # Most are short and come again and again, in millions of pairs.
        _known_pair(key, value)
        if value.__class__ is int or (value.__class__ is str and len(value) <= _KNOWN_CHARS_MAX)
        else {"key": key, "value": any_value(value)}
        for key, value in values.items()
        if value is not None
    ]


@lru_cache(maxsize=16_384)
def _known_pair(key: str, value: int | str) -> Json:
    return {"key": key, "value": any_value(value)}


def any_value(value: Any, depth: int = 0) -> Json:  # noqa: PLR0911 - one return per JSON type
    """Return a JSON value as an AnyValue; None in a list is an empty one, what is nested too deep its type's name."""
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if _INTEGER_MIN <= value <= INTEGER_MAX else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value} if value - value == 0 else {"stringValue": str(value)}
    if value is None:
        return {}
    if depth >= _DEPTH_MAX:
        return {"stringValue": type(value).__name__}
    if isinstance(value, dict):
        pairs = [{"key": str(key), "value": any_value(item, depth + 1)} for key, item in value.items()]
        return {"kvlistValue": {"values": pairs} if pairs else {}}
    items = [any_value(item, depth + 1) for item in value]
    return {"arrayValue": {"values": items} if items else {}}


def said_by(record: Record) -> dict[str, Any]:
    """Return what an event says, by the names of the conventions where there is one."""
    is_request = is_lsp_request(record.cmd)
    known_args = _REQUEST_ARGS if is_request else _ARGS
    said: dict[str, Any] = {}
    if is_request:
        said |= {"rpc.system.name": "jsonrpc", "jsonrpc.protocol.version": "2.0", "rpc.method": lsp_method(record)}
    for name, value in record.args.items():
        key = known_args.get(name)
        fits = key is not None and type(value) is (int if name == "line" else str)
        said[key if key is not None and fits else f"ctx.arg.{name}"] = value
    for name, value in record.result.items():
        key = _RESULTS.get(name)
        said[key if key is not None and type(value) is int else f"ctx.result.{name}"] = value
    for name, value in record.extra.items():
        key = _EXTRAS.get(name)
        said[key if key is not None and type(value) is str else f"ctx.{name}"] = value
    for name, count in record.tokens.items():
        if count:
            said[f"ctx.tokens.{name.removesuffix('_tokens')}"] = count
    if record.warnings:
        said["ctx.warnings"] = record.warnings
    if record.dropped_before:
        said["ctx.telemetry_dropped_since_last"] = record.dropped_before
    if failure := failure_of(record):
        said["error.type"] = failure
    said["ctx.seq"] = record.seq
    return said


def lsp_method(record: Record) -> str:
    """Return the method of a question as the Language Server Protocol spells it."""
    tail = record.cmd[len("lsp.") :]
    return _WORKSPACE_METHODS.get(tail) or (tail if "/" in tail else f"textDocument/{tail}")


def _pairs(record: Record) -> list[Json]:
    """Return the attributes of an event, made once: it is a log record and may be a span."""
    if record.kept is None:
        record.kept = attributes(said_by(record))
    pairs: list[Json] = record.kept
    return pairs


# Traces.


def traces_data(spans: Iterable[Span], version: str) -> Json | None:
    """Return a TracesData of spans of one run: instants are events of the span they lie in, if that is among them.

    None when there is nothing to be told, as the waits of a question are told by the question.
    """
    told = [span for span in spans if span.kind is not SpanKind.WAIT]
    ids = {id(span): span_id(span.kind, span.opener) for span in told}
    events: dict[int, list[Json]] = {}
    by_process: dict[int, list[Span]] = {}
    for span in told:
        if span.kind is SpanKind.INSTANT and span.parent is not None and id(span.parent) in ids:
            events.setdefault(id(span.parent), []).append(_span_event(span))
        else:
            by_process.setdefault(span.record.pid, []).append(span)
    if not by_process:
        return None
    return {
        "resourceSpans": [
            {
                "resource": resource(own[0].record, version),
                "scopeSpans": [
                    {
                        "scope": scope(version),
                        "spans": [_span(span, ids[id(span)], events.get(id(span))) for span in own],
                        "schemaUrl": SCHEMA_URL,
                    }
                ],
                "schemaUrl": SCHEMA_URL,
            }
            for own in by_process.values()
        ]
    }


def _span(span: Span, own_id: str, events: list[Json] | None) -> Json:
    record = span.record
    pairs = _pairs(record)
    if span.is_open:
        pairs = [*pairs, *attributes({"ctx.unended": True})]
    is_request = span.kind is SpanKind.REQUEST
    made: Json = {
        "traceId": trace_id(record.segment_id, record.run_id),
        "spanId": own_id,
        "name": lsp_method(record) if is_request else span.name,
        "kind": CLIENT if is_request else INTERNAL,
        "startTimeUnixNano": _time(span.start_ns),
        "endTimeUnixNano": _time(span.end_ns),
        "attributes": pairs,
    }
    if span.parent is not None:
        made["parentSpanId"] = span_id(span.parent.kind, span.parent.opener)
    if events:
        made["events"] = events
    if failure_of(record):
        made["status"] = {"code": _STATUS_ERROR}
    return made


def _span_event(span: Span) -> Json:
    return {
        "timeUnixNano": _time(span.end_ns),
        "name": span.name,
        "attributes": _pairs(span.record),
    }


def _time(ns: int) -> str:
    # 0 would be the default, which is not written: "1" is as early.
    return str(min(max(ns, 1), INTEGER_MAX))


# Logs.


def log_record(record: Record) -> Json:
    """Return the LogRecord of an event: its name, when it was, how bad it is, and the span it is."""
    number, text = severity(record)
    made = {
        "timeUnixNano": _time(record.end_us * 1000),
        "observedTimeUnixNano": _time(record.end_us * 1000),
        "severityNumber": number,
        "severityText": text,
        "eventName": record.cmd,
        "attributes": [
            *_pairs(record),
            *attributes({"ctx.duration_ns": record.duration_ns if record.is_timed else None}),
        ],
        "traceId": trace_id(record.segment_id, record.run_id),
    }
    kind = _kind_of(record)
    if kind is not None:
        made["spanId"] = span_id(kind, record)
    return made


def severity(record: Record) -> tuple[int, str]:
    """Return how bad an event is: failures are errors, fallbacks, timeouts, warnings and losses are warnings."""
    if record.cmd in {"lsp.fallback", "lsp.timeout"} or record.warnings or record.dropped_before:
        return WARN
    failure = failure_of(record)
    if failure and is_lsp_request(record.cmd):
        return WARN  # Tree-sitter answered
    return ERROR if failure else INFO


def logs_data(batch: Iterable[Record], version: str) -> Json:
    """Return a LogsData of records of any runs, by their processes."""
    by_process: dict[tuple[str, str, int], list[Record]] = {}
    for record in batch:
        by_process.setdefault((record.segment_id, record.run_id, record.pid), []).append(record)
    return {
        "resourceLogs": [
            {
                "resource": resource(own[0], version),
                "scopeLogs": [
                    {
                        "scope": scope(version),
                        "logRecords": [log_record(record) for record in own],
                        "schemaUrl": SCHEMA_URL,
                    }
                ],
                "schemaUrl": SCHEMA_URL,
            }
            for own in by_process.values()
        ]
    }


def _kind_of(record: Record) -> SpanKind | None:
    """Return the kind of the span that this event alone tells of; None for an instant and what two events tell of."""
    if record.cmd in _STEPS:
        return SpanKind.STEP
    if is_lsp_request(record.cmd):
        return SpanKind.REQUEST
    is_beside = record.cmd.startswith(("command.", "lsp."))
    return SpanKind.OPERATION if record.duration_ns and not is_beside else None
