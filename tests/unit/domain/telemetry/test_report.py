"""The document: its keys, and that no text leaves it as it came."""

from __future__ import annotations

from typing import Any

from tests.fixtures.report_document import report_document as drawn_document
from tests.telemetry_lines import event

from ctx.domain.telemetry.report import report_document
from ctx.domain.telemetry.report_tally import ReportTally
from ctx.domain.telemetry.savings import DEFINITION

SECRET = "hunter2"


def everything_said(text: str) -> ReportTally:
    """Return a tally in which the text stands wherever a line can say one."""
    tally = ReportTally(1 << 60)
    said = {
        "run_id": text,
        "segment": text,
        "segment_id": text,
        "face": text,
        "disclosure_mode": text,
        "warnings": [text],
        "args": dict.fromkeys(("server", "method", "face", "query", "symbol_query", "mode", "file"), text),
        "result": {"hits": 0, "ready_via": text, "reason": text, "exit_code": text, "status": text},
        "tokens": {"output_tokens": 1},
        "file_tokens": {text: 3},
    }
    cmds = ("command.start", "command.end", "ctx.search", "ctx.get", "ctx.resolve", "lsp.ready", "lsp.fallback")
    for cmd in (*cmds, "lsp.hover", "lsp.timeout", "file.read", "index.update", text, f"ctx.{text}", f"lsp.{text}"):
        tally.add(event(cmd, **said))
    return tally


def texts_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.items() for each in item for text in texts_in(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts_in(each)]
    return [value] if isinstance(value, str) else []


def test_every_text_of_a_line_is_redacted_on_the_way_out() -> None:
    """Keys as well as values, whatever kind of event it came with."""
    tally = everything_said(f"password {SECRET} in it")
    document = report_document(
        tally, generated_us=0, version="1", counters=None, redact=lambda text: text.replace(SECRET, "[REDACTED]")
    )
    texts = texts_in(document)
    assert [] == [text for text in texts if SECRET in text]
    assert 18 <= sum("[REDACTED]" in text for text in texts)


def test_texts_are_cut_after_they_are_redacted() -> None:
    """A secret that a cut would have halved is not there; what is shown has at most 120 characters."""
    long = "x" * 110 + SECRET + "y" * 600
    tally = ReportTally(1 << 60)
    tally.add(event("ctx.search", args={"query": long}, result={"hits": 0}, warnings=[long]))
    document = report_document(
        tally, generated_us=0, version="1", counters=None, redact=lambda text: text.replace(SECRET, "[REDACTED]")
    )
    query, warning = document["zero_hit_queries"][0]["query"], document["warnings"][0]["warning"]
    assert ["x" * 110 + "[REDACTED…"] * 2 == [query, warning]


def test_the_record_of_the_recording_comes_from_the_counters() -> None:
    """Null when there is none to ask, 0 for a counter that never moved."""
    tally = ReportTally(1 << 60)
    said = {"telemetry_events_attempted": 5, "telemetry_events_written": 4, "telemetry_events_dropped": 1}
    expected = {"dropped_seen": 0, "gaps": 0, "attempted": 5, "written": 4, "dropped": 1}
    known = report_document(tally, generated_us=0, version="1", counters=said, redact=str)["telemetry"]
    unknown = report_document(tally, generated_us=0, version="1", counters=None, redact=str)["telemetry"]
    assert {**expected, "recovered": 0, "metrics_damaged": 0} == known
    assert [None] * 5 == [unknown[key] for key in ("attempted", "written", "dropped", "recovered", "metrics_damaged")]


def shape_of(value: Any) -> Any:
    """Return the keys of a document, of lists those of the first item; not those that are names of what was counted."""
    if isinstance(value, dict):
        return {key: None if key in NAMED else shape_of(each) for key, each in sorted(value.items())}
    return [shape_of(value[0])] if isinstance(value, list) and value else None


NAMED = ("by_face", "exit_codes", "ready_via", "fallback_reasons", "hist")


def test_what_is_drawn_is_what_is_made() -> None:
    """The document that the tests of the terminal and the page draw has the very keys of a made one."""
    made = report_document(everything_said("x"), generated_us=0, version="1", counters={}, redact=str)
    assert shape_of(drawn_document()) == shape_of(made)


def test_the_document_says_of_itself_what_it_is() -> None:
    """Schema, version, moment, and how savings are defined."""
    document = report_document(everything_said("x"), generated_us=0, version="1.2", counters=None, redact=str)
    assert ("ctx.telemetry_report/1", "1.2", "1970-01-01T00:00:00.000000+00:00", DEFINITION) == (
        document["schema"],
        document["version"],
        document["generated"],
        document["savings"]["definition"],
    )
