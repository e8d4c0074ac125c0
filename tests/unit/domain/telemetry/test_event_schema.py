"""The published schema: it is JSON Schema, the committed file is it, and it takes what it should."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.telemetry_lines import event

from ctx.domain.telemetry.event_schema import last_run_schema, metrics_schema, telemetry_schema
from ctx.domain.telemetry.events import EVENTS
from ctx.infrastructure.cli.telemetry_validate_command import schema_text

PUBLISHED = Path(__file__).parents[4] / "docs/telemetry.schema.json"


def test_the_published_file_is_the_schema_of_the_table() -> None:
    """docs/telemetry.schema.json is what `ctx telemetry schema` prints; CTX_REWRITE_GOLD=1 writes it anew."""
    if os.environ.get("CTX_REWRITE_GOLD"):
        PUBLISHED.write_text(schema_text(), encoding="utf-8")
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("make", [telemetry_schema, metrics_schema, last_run_schema])
def test_it_is_a_schema(make: type) -> None:
    """The dialect's own schema takes it."""
    Draft202012Validator.check_schema(make())


@pytest.mark.parametrize(
    "line",
    [
        event("ctx.search", args={"query": "x", "limit": 5}, result={"hits": 3}, bytes_read=12),
        event("of.a.later.version", args={"files": {"any": "thing"}}, whatever=[1]),
        event("ctx.search", args={"new_one": 1}, result={"new_one": None}, new_one={"a": 1}),
        event("lsp.typeDefinition", result={"status": "answered"}),
        event("ctx.get", telemetry_dropped_since_last=3),
    ],
)
def test_what_is_known_and_what_a_later_version_adds_is_valid(line: dict[str, object]) -> None:
    """Unknown events and new keys pass."""
    assert Draft202012Validator(telemetry_schema()).is_valid(line)


@pytest.mark.parametrize(
    "line",
    [
        event(result={"hits": "three"}),
        event("file.read", args={"mode": "whole"}),
        event("lsp.hover", result={"status": "ok"}),
        event("lsp.ready", result={"ready_via": "initialize"}),
        event("map.rank", args={"files": ["a"]}),
        event(level="loud"),
        event(bytes_read=-1),
        {name: value for name, value in event().items() if name != "seq"},
    ],
)
def test_a_known_field_of_another_type_is_not(line: dict[str, object]) -> None:
    """Each event's fields are checked, those of names that stand for many, too."""
    assert not Draft202012Validator(telemetry_schema()).is_valid(line)


def test_every_event_has_a_definition_of_its_own() -> None:
    """A reader finds each row under `$defs`, with when it is written."""
    definitions = telemetry_schema()["$defs"]
    assert set(EVENTS) | {"ctx.command", "ctx.lsp.method_tail", "lsp.method_tail", "metrics", "last_run"} == set(
        definitions
    )
    assert EVENTS["file.read"].when == definitions["file.read"]["description"]
