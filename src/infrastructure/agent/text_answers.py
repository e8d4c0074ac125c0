"""Get and map for agents: use cases whose answers are texts, fitted by asking again with less."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ...domain.errors import CtxError, NotFoundError, UsageError
from ..answer_documents import get_document, map_document
from ..answer_texts import PLAIN, get_notes, item_text, map_notes
from .paging import MOVED, Place, cursor_of, leading, read_cursor
from .question import Answer, asked, index_state, json_of, text_of, told_of, too_small, with_missing
from .words import for_agents

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...application.get import GetAnswer, Item
    from ..services import Services
    from .question import Question

_TEXT_SHARE = 0.8
"""Of the budget, for text that is handed on inside an object: the rest is keys, and escapes of quotes and line ends."""
_MAP_TEXT_SHARE = 0.2
_FRAME_TOKENS = 400
"""Of an answer with one item besides its text, and more than that."""
_UNBOUNDED_TOKENS = 100_000_000
_ITEMS_MAX = 1_000_000
_TRIES = 8
_TRIES_BY_TEXT = 3
"""Then fewer items are tried: short texts are mostly keys."""


def get_answer(question: Question, services: Services) -> Answer:
    """Return the text behind ids, paths, lines and symbols, from where the page begins."""
    from ...application.get import GetRequest

    given = question.arguments
    targets = [*([given["id"]] if given["id"] is not None else ()), *(given["ids"] or ())]
    if not targets:
        raise UsageError("ctx_get needs id (or ids): an id from ctx_search, a path, path:line or path#symbol")
    state = index_state(services)
    place, has_moved = read_cursor(given["cursor"], asked(question), state)
    max_tokens, count = question.max_tokens, services.counter.count
    # What the pages before handed on is read again: a cut is made by lines, and found by counting from the beginning.
    budget = int(max_tokens * _TEXT_SHARE)
    items_max = _ITEMS_MAX
    for tried in range(_TRIES):
        request = GetRequest(tuple(targets), given["mode"], place.tokens + budget, given["latest"] or False)
        try:
            found = services.get()(request)
        except NotFoundError as error:
            raise _with_nearest_paths(error, targets, services) from error
        page, next_place, omitted = _get_page(found, place, items_max, count)
        hint = ""
        if page.items and page.items[0].truncated and not page.items[0].text:
            whole = services.get()(replace(request, budget_tokens=_UNBOUNDED_TOKENS))
            hint, next_place = _over_a_line(whole, place, max_tokens, count)
            page = replace(page, items=(replace(page.items[0], more=hint),))
        named = leading(omitted, max_tokens, count)
        document = get_document(services, page, request)
        document["budget"] = max_tokens
        document["truncated"] = page.truncated or bool(omitted)
        document["omitted"] = named
        if hint:
            document |= {"complete": False, "reason": hint}
        if next_place is not None:
            document["next_cursor"] = cursor_of(next_place, asked(question), state)
        notes = get_notes(page, budget_tokens=max_tokens)
        if omitted:
            more = [f"{len(omitted) - len(named)} more"] if len(named) < len(omitted) else []
            notes.append(f"left out for the budget of {max_tokens} tokens: {', '.join(named + more)}")
        if not page.items and not place.is_start:
            notes.append("no more")
        if has_moved:
            document["moved"] = MOVED
            notes.insert(0, MOVED)
        notes = with_missing(document, notes, question)
        text = text_of([item_text(item, PLAIN) for item in page.items], notes, document.get("next_cursor"))
        cost = max(count(json_of(document)), count(text))
        if cost <= max_tokens or budget == 1:
            break
        if tried >= _TRIES_BY_TEXT and len(page.items) > 1:
            items_max = max(1, min(int(len(page.items) * max_tokens / cost * 0.97), len(page.items) - 1))
        else:
            budget = max(1, min(int(budget * max_tokens / cost * 0.97), budget - 1))
    return Answer(
        document,
        text,
        {"ids": targets, "mode": given["mode"] or "", "budget_token_est": max_tokens},
        {
            "hits": len(page.items),
            "returned_ids": [item.id for item in page.items[:10]],
            "status": "truncated" if document["truncated"] else "ok",
            **dict.fromkeys(("retrieved_tokens", "output_tokens", "total_tokens"), page.total_tokens),
        },
        page.disclosure,
    )


def _get_page(
    found: GetAnswer, place: Place, items_max: int, count: Callable[[str], int]
) -> tuple[GetAnswer, Place | None, list[str]]:
    """Return what is left of an answer behind a place, where the next page begins, and the ids it does not show.

    A page ends with the first item that is cut.
    """
    items: list[Item] = []
    cut_at: int | None = None
    for at, whole in enumerate(found.items[place.rows : place.rows + items_max]):
        item = _behind(whole, place.lines, count) if at == 0 and place.lines else whole
        if whole.truncated and at and not item.text:
            break
        items.append(item)
        if whole.truncated:
            cut_at = place.rows + at
            break
    shown = place.rows + len(items)
    omitted = [*(item.id for item in found.items[shown:]), *found.omitted]
    next_place = None
    if cut_at is not None and items[-1].text:
        lines = found.items[cut_at].text.count("\n")
        next_place = Place(cut_at, lines, sum(item.tokens for item in found.items[: cut_at + 1]))
    elif cut_at is None and omitted:
        next_place = Place(shown, 0, sum(item.tokens for item in found.items[:shown]))
    said = tuple(replace(item, more=for_agents(item.more)) for item in items)
    page = replace(found, items=said, total_tokens=sum(item.tokens for item in items), omitted=())
    return page, next_place, omitted


def _over_a_line(
    whole: GetAnswer, place: Place, max_tokens: int, count: Callable[[str], int]
) -> tuple[str, Place | None]:
    """Return what to say of a line that does not fit alone, and where the next page begins behind it, if one does."""
    item = whole.items[place.rows]
    lines = item.text.split("\n")
    line = "".join(lines[place.lines : place.lines + 1])  # none when the file is another by now
    needed = max(math.ceil(count(line) / _TEXT_SHARE), count(json_of(line)) + _FRAME_TOKENS)
    what = f"line {item.start_line + place.lines}" if item.mode == "raw" else "a line"
    before = sum(one.tokens for one in whole.items[: place.rows])
    if lines[place.lines + 1 :] not in ([], [""]):
        read = "\n".join(lines[: place.lines + 1]) + "\n"
        behind = Place(place.rows, place.lines + 1, before + count(read))
    else:
        behind = Place(place.rows + 1, 0, before + item.tokens)
    return too_small(what, needed, max_tokens), behind if behind.rows < len(whole.items) else None


def _behind(item: Item, lines: int, count: Callable[[str], int]) -> Item:
    """Return an item without its first lines, which an earlier page handed on."""
    text = "\n".join(item.text.split("\n")[lines:])
    start = item.start_line + lines if item.mode == "raw" else item.start_line
    return replace(item, text=text, tokens=count(text), start_line=min(start, item.end_line))


def _with_nearest_paths(error: NotFoundError, targets: list[str], services: Services) -> CtxError:
    """Return the error with the files that its path may mean."""
    from ...application.nearest_paths import nearest_paths

    known = {path for path, *_rest in services.store.files()}
    for target in targets:
        path = target.partition("#")[0]
        head, colon, lines = path.rpartition(":")
        if colon and lines.replace("-", "").isdigit():
            path = head
        if path.removeprefix("./") not in known:
            near = nearest_paths(path, known)
            return NotFoundError(f"{error}; nearest files: {', '.join(near)}") if near else error
    return error


def map_answer(question: Question, services: Services) -> Answer:
    """Return what the rest of the repository, or of the given paths, leans on."""
    from ...application.repo_map import RepoMapRequest

    given = question.arguments
    max_tokens, count = question.max_tokens, services.counter.count
    budget = int(max_tokens * _MAP_TEXT_SHARE)
    mapper = services.repo_mapper()
    for _ in range(_TRIES):
        request = RepoMapRequest(tuple(given["paths"] or ()), budget, tuple(given["focus"] or ()))
        found = mapper(request, on_progress=question.tell)
        document = map_document(services, found, request, question.report, took_ns=question.took_ns)
        document["focus"] = leading(document["focus"], max_tokens, count)
        unread = leading([json_of(one) for one in document["not_parsed"]], max_tokens, count)
        document["not_parsed"] = document["not_parsed"][: len(unread)]
        notes = with_missing(document, map_notes(found, question.report), question)
        text = text_of([found.text] if found.text else [], notes, None)
        cost = max(count(json_of(document)), count(text))
        if cost <= max_tokens or budget == 1:
            break
        budget = max(1, min(int(budget * max_tokens / cost * 0.95), budget - 1))
    return Answer(
        document,
        text,
        told_of(question) | {"budget_token_est": max_tokens},
        {
            "files": len(found.files),
            "definitions": found.definitions_shown,
            "status": "nothing" if not found.files else "truncated" if found.truncated else "ok",
            **dict.fromkeys(("retrieved_tokens", "output_tokens", "total_tokens"), found.total_tokens),
        },
        {"disclosure_mode": "map", "index_files": found.files_total},
    )
