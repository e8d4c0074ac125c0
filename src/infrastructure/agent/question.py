"""One call's question and answer, and what all answers share: how they are written in their two forms."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ...application.refresh_index import RefreshReport
from ..answer_texts import redaction_notes
from ..question_args import map_args, search_args
from ..secrets import redact_secrets
from .tools import MAX_TOKENS_MAX
from .words import for_agents

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..services import Services

_SPARE_TOKENS = 32
"""For what differs between two answers to one question: times, and digits of sums."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer in its two forms, and what telemetry is told of it."""

    document: dict[str, Any]
    text: str
    args: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """One call: the tool's checked arguments, and what the answer has to know besides.

    `report` is what the last look at the files found; `missing` says what the index does not hold yet, "" when it
    holds everything. `others` is who else works on the segment, for who asks that. `tell` is told how far a long
    answer is.
    """

    tool: str
    arguments: dict[str, Any]
    report: RefreshReport = field(default_factory=RefreshReport)
    missing: str = ""
    others: dict[str, Any] = field(default_factory=dict)
    tell: Callable[[int, int], None] = lambda _done, _total: None
    started_ns: int = field(default_factory=perf_counter_ns)

    @property
    def took_ns(self) -> int:
        """Nanoseconds since the question was asked."""
        return perf_counter_ns() - self.started_ns

    @property
    def max_tokens(self) -> int:
        """What the answer may cost."""
        tokens: int = self.arguments["max_tokens"]
        return tokens


def told_of(question: Question) -> dict[str, Any]:
    """Return what telemetry is told of what was asked."""
    given = question.arguments
    if question.tool == "ctx_search":
        mode = "search" if given["mode"] == "words" else given["mode"]
        return search_args(
            given["query"], mode, **{name: given[name] for name in ("limit", "kind", "lang", "path", "focus")}
        )
    if question.tool == "ctx_map":
        return map_args(given["paths"], given["focus"])
    told = {"symbol_query": given.get("symbol"), "limit": given.get("limit")}
    told["ids"] = [*([given["id"]] if given.get("id") else ()), *(given.get("ids") or ())] or None
    return {name: value for name, value in told.items() if value is not None}


def holds_secret(question: Question) -> bool:
    """Tell whether there is a secret in what was asked: it is repeated nowhere then, not even a part of it.

    A cursor is ours, and its digits may look like one.
    """
    values = [value for name, value in question.arguments.items() if name != "cursor"]
    texts = [value for value in values if isinstance(value, str)]
    texts += [one for value in values if isinstance(value, list) for one in value]
    return any(redact_secrets(text) != text for text in texts)


def asked(question: Question) -> dict[str, Any]:
    """Return what a cursor belongs to."""
    return {"tool": question.tool, **question.arguments}


def index_state(services: Services) -> str:
    """Return what differs between two states of the index."""
    return f"{services.store.meta('generation')} {services.store.meta('as_of')}"


def with_missing(document: dict[str, Any], notes: list[str], question: Question) -> list[str]:
    """Say in both forms what the index does not hold yet."""
    notes = [*notes, *redaction_notes(document)]
    if document.get("reason"):
        document["reason"] = for_agents(document["reason"])
    if not question.missing:
        return notes
    document["complete"] = False
    document["reason"] = question.missing  # whatever else there would be to say may be wrong in a moment
    return [question.missing, *redaction_notes(document)]


def too_small(what: str, needed_tokens: int, max_tokens: int) -> str:
    """Return what to do about a part that alone costs more than the answer may."""
    needed = needed_tokens + _SPARE_TOKENS
    if needed > MAX_TOKENS_MAX:
        return f"{what} here costs about {needed} tokens, more than max_tokens can be"
    return f"{what} here costs more than max_tokens {max_tokens}; the same call with {needed} gets it"


def text_of(parts: list[str], notes: list[str], cursor: str | None) -> str:
    """Return an answer's text: its parts, notes in an agent's words, and where the next page is."""
    lines = [*parts, *(f"note: {for_agents(note)}" for note in notes)]
    if cursor:
        lines.append(f"more: cursor {cursor}")
    return "\n".join(lines)


def json_of(document: Any) -> str:
    """Return an object as it travels."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
