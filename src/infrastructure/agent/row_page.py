"""A page of an answer that is a list: as many rows as fit in both of its forms, and where the next page begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..answer_documents import with_redacted
from ..answer_texts import redaction_notes, stale_notes
from ..secrets import redact_secrets
from .paging import MOVED, Place, cursor_of, fitting, leading, read_cursor
from .question import Answer, Question, asked, holds_secret, index_state, json_of, text_of, too_small, with_missing
from .words import ends_of

if TYPE_CHECKING:
    from ..services import Services

_QUERY_SIZE_MAX = 200
_REASON_SIZE_MAX = 400
_NOT_REPEATED = "what was asked holds a secret, so no part of it is repeated"


@dataclass(frozen=True, slots=True)
class RowPage:
    """The part of a list that one answer hands on."""

    question: Question
    services: Services
    place: Place
    limit: int
    has_moved: bool
    state: str
    rows_max: int

    @classmethod
    def of(cls, question: Question, services: Services, limit: int, rows_max: int) -> RowPage:
        """Return the page that the question's cursor and limit ask for; the use case finds `rows_max` at most."""
        state = index_state(services)
        place, has_moved = read_cursor(question.arguments["cursor"], asked(question), state)
        return cls(question, services, place, question.arguments["limit"] or limit, has_moved, state, rows_max)

    @property
    def rows_wanted(self) -> int:
        """How many rows the use case has to find: those of the pages before, too."""
        return min(self.place.rows + self.limit, self.rows_max)

    def answer(
        self,
        document: dict[str, Any],
        key: str,
        texts: list[str],
        notes: list[str],
        *,
        has_more: bool,
        args: dict[str, Any],
        extra: dict[str, Any],
        costs: list[int] | None = None,
    ) -> Answer:
        """Return as many of the page's rows as fit; `costs` are their texts' tokens, where the answer sums them."""
        question, count = self.question, self.services.counter.count
        max_tokens = question.max_tokens
        rows = document[key][self.place.rows :]
        texts, costs = texts[self.place.rows :], costs[self.place.rows :] if costs is not None else None
        if not rows and not self.place.is_start:
            notes = ["no more", *stale_notes(question.report)]
        if self.has_moved:
            notes = [MOVED, *notes]
        notes = with_missing(document, notes, question)
        if "focus" in document:
            document["focus"] = leading(document["focus"], max_tokens, count)
        # What was asked is known to who asked, and reasons repeat it.
        document["query"] = ends_of(redact_secrets(document["query"]), _QUERY_SIZE_MAX)
        if holds_secret(question):
            notes = self._without_words(document, key)
        if document.get("reason"):
            document["reason"] = ends_of(redact_secrets(document["reason"]), _REASON_SIZE_MAX)
        notes = [ends_of(redact_secrets(note), _REASON_SIZE_MAX) for note in notes]
        # Parts are counted first, because the whole is close to their sum; then the whole, because it is not equal.
        frame = json_of({**document, key: [], "next_cursor": self._cursor(10**6), "moved": MOVED})
        take = min(
            len(rows),
            fitting([json_of(row) for row in rows], max_tokens - count(frame), count),
            fitting(texts, max_tokens - count(text_of([], notes, self._cursor(10**6))), count),
        )
        take = take or min(len(rows), 1)  # the sum is a little more than the whole
        while True:
            page = self._document(document, key, rows, take, costs, has_more=has_more)
            text = text_of(texts[:take], notes, page.get("next_cursor"))
            cost = max(count(json_of(page)), count(text))
            if take == 0 or cost <= max_tokens:
                break
            take -= 1
            if take == 0:
                # Its only row costs too much: this page says so, and the next one begins behind it.
                behind = {"next_cursor": page["next_cursor"]} if "next_cursor" in page else {}
                hint = too_small("the row", cost, max_tokens)
                page = self._document(document, key, rows, take, costs, has_more=has_more)
                reason = "; ".join(filter(None, (hint, page.get("reason"))))
                page |= {"complete": False, "reason": reason, **behind}
                text = text_of([], [hint, *notes], page.get("next_cursor"))
                break
        ids = [row["id"] for row in rows[:take] if "id" in row][:10]
        # Where an answer sums no tokens, nothing is said of them, as on the command line.
        figures = ("retrieved_tokens", "output_tokens", "total_tokens") if "total_tokens" in page else ()
        return Answer(
            page,
            text,
            args | {"budget_token_est": max_tokens},
            {
                "hits": take,
                **({"returned_ids": ids} if ids else {}),
                "status": "ok" if take else "nothing",
                **dict.fromkeys(figures, page.get("total_tokens")),
            },
            extra,
        )

    def _without_words(self, document: dict[str, Any], key: str) -> list[str]:
        """Take out of an answer what repeats words of a question that holds a secret; returns the notes instead."""
        if document.get("reason") or not document[key]:
            document["reason"] = _NOT_REPEATED
        if "nearest" in document:
            document["nearest"] = []
        return [_NOT_REPEATED, *redaction_notes(document)] if not document[key] else redaction_notes(document)

    def _document(
        self,
        document: dict[str, Any],
        key: str,
        rows: list[dict[str, Any]],
        take: int,
        costs: list[int] | None,
        *,
        has_more: bool,
    ) -> dict[str, Any]:
        page = {**document, key: rows[:take]}
        was_cut = take < len(rows)
        if costs is not None and (was_cut or not self.place.is_start):
            page["total_tokens"] = sum(costs[:take])
        if "omitted" in page:
            page["omitted"] = max(0, page["total"] - self.place.rows - take)
        page["truncated"] = was_cut or page.get("truncated", False)
        with_redacted(self.services, page)
        if take and (was_cut or has_more):
            page["next_cursor"] = self._cursor(self.place.rows + take)
        if self.has_moved:
            page["moved"] = MOVED
        return page

    def _cursor(self, rows: int) -> str:
        return cursor_of(Place(min(rows, 999_999)), asked(self.question), self.state)
