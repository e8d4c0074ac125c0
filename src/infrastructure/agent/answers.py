"""What each tool answers: the use case behind the command of that name, its `--json` object, and its text.

An answer has two forms, the object and the text, and clients show one or the other: neither costs more than
`max_tokens`. What does not fit is the next page. Nothing here knows the protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import __version__
from ..answer_texts import stale_notes
from .question import Answer, text_of, with_missing
from .row_answers import refs_answer, resolve_answer, search_answer, text_search_answer
from .text_answers import get_answer, map_answer

if TYPE_CHECKING:
    from ..services import Services
    from .question import Question


def answer(question: Question, services: Services) -> Answer:
    """Answer one question from the index as it stands.

    Raises: CtxError with what to do next.
    """
    match question.tool:
        case "ctx_search" if question.arguments["mode"] == "words":
            found = search_answer(question, services)
        case "ctx_search":
            found = text_search_answer(question, services)
        case "ctx_get":
            found = get_answer(question, services)
        case "ctx_map":
            found = map_answer(question, services)
        case "ctx_resolve":
            found = resolve_answer(question, services)
        case "ctx_refs":
            found = refs_answer(question, services)
        case _:
            found = _status(question, services)
    return found


def _status(question: Question, services: Services) -> Answer:
    facts = services.store.facts()
    document = {
        "schema": "ctx.status/1",
        "version": __version__,
        "segment": services.segment_name,
        "state": "indexing" if question.missing else "ready",
        "index": {
            "files": facts.files,
            "chunks": facts.chunks,
            "tokens": facts.tokens,
            "as_of": facts.as_of,
            "languages": dict(facts.languages),
            "skipped": len(services.store.skipped()),
            "stale": list(question.report.stale),
        },
        "host": bool(question.others.get("host")),
        "faces": [one["face"] for one in question.others.get("faces") or ()],
        "unsaved": list(question.others.get("unsaved") or ()),
        "servers": [
            {"name": one.get("server"), "state": one.get("state")} for one in question.others.get("servers") or ()
        ],
        "complete": facts.complete and not question.report.stale,
    }
    notes = with_missing(document, stale_notes(question.report), question)
    languages = ", ".join(f"{name} {files}" for name, files in list(facts.languages)[:6])
    text = text_of(
        [
            f"ctx {__version__}, {services.segment_name}: {document['state']}",
            f"{facts.files} files, {facts.chunks} chunks, as of {facts.as_of or 'never'}",
            *([f"languages: {languages}"] if languages else []),
        ],
        notes,
        None,
    )
    return Answer(document, text, {}, {"status": document["state"]}, {})
