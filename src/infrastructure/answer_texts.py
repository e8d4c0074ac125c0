"""Answers as people read them, and the notes beside them: compact lines, shared by every face.

A `Paint` says how words look: coloured on a terminal (`cli.paint.Painter`), as they are everywhere else (`PLAIN`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .answer_documents import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..application.get import GetAnswer, Item
    from ..application.refresh_index import RefreshReport
    from ..application.refs import View
    from ..application.repo_map import RepoMapAnswer
    from ..application.search import Hit, SearchAnswer
    from ..application.text_search import TextHit, TextSearchAnswer
    from ..domain.language_server import ServerPlace
    from ..domain.symbol_answer import (
        Callee,
        Caller,
        HoverAnswer,
        Reference,
        ReferencesAnswer,
        SymbolAnswer,
        SymbolCandidate,
    )

QUERY_CHARS_SHOWN = 80
_PATHS_NAMED_MAX = 3
_SERVER_LINES_MAX = 8
_RULER = r"\n(?:[ \t]*\n|-{3,})"
"""What stands between the type and the documentation in a server's text."""


class Paint(Protocol):
    """How words look."""

    def __call__(self, style: str, text: object) -> str:
        """Return the text in one of the named styles."""
        ...

    def safe(self, text: str) -> str:
        """Return text from a file without what would harm where it is shown."""
        ...


class _Plain:
    """Words as they are."""

    def __call__(self, style: str, text: object) -> str:  # noqa: ARG002 - the port's form
        return str(text)

    def safe(self, text: str) -> str:
        return text


PLAIN: Paint = _Plain()


# ---------------------------------------------------------------------- search


def search_text(answer: SearchAnswer, paint: Paint) -> str:
    """Return the hits of a search by words."""
    return "\n".join(hit_text(hit, paint) for hit in answer.hits)


def hit_text(hit: Hit, paint: Paint) -> str:
    """Return one hit: its id, lines and cost, and below it what it is."""
    return _hit_head(hit, paint) + "".join(f"\n  {paint.safe(line.strip())}" for line in hit.snippet.split("\n"))


def text_search_text(answer: TextSearchAnswer, paint: Paint) -> str:
    """Return the hits of a search by pattern."""
    return "\n".join(text_hit_text(found, paint) for found in answer.hits)


def text_hit_text(found: TextHit, paint: Paint) -> str:
    """Return one hit with its matching lines."""
    lines = [_hit_head(found.hit, paint)]
    for match in found.matches:
        text = match.text
        before, within, after = text[: match.start], text[match.start : match.end], text[match.end :]
        shown = paint.safe(before.lstrip()) + (paint("bad", within) if within else "") + paint.safe(after)
        lines.append(f"  {paint('quiet', f'{match.line}:')} {shown}")
    if found.more_matches:
        lines.append(f"  {paint('quiet', f'and {found.more_matches} more lines')}")
    return "\n".join(lines)


def _hit_head(hit: Hit, paint: Paint) -> str:
    head, _, tail = hit.id.partition("#")
    lines = f"L{hit.start_line}-{hit.end_line}"
    return f"{paint('path', head)}#{paint('name', tail)} {lines} {paint('number', f'{hit.tokens}t')}"


def search_notes(answer: SearchAnswer, report: RefreshReport, *, budget_tokens: int) -> list[str]:
    """Return what is to be said of a search by words besides its hits."""
    notes = []
    if not answer.hits:
        notes.append(_nothing_note(answer.query, answer.reason, answer.nearest))
    elif answer.reason:
        notes.append(answer.reason)
    if answer.hits and answer.truncated:
        notes.append(_budget_note(answer.omitted, budget_tokens))
    return notes + stale_notes(report)


def text_search_notes(
    answer: TextSearchAnswer, report: RefreshReport, *, budget_tokens: int, deadline_s: float
) -> list[str]:
    """Return what is to be said of a search by pattern besides its hits."""
    notes = []
    if not answer.hits:
        notes.append(_nothing_note(answer.pattern, answer.reason, answer.nearest))
    elif answer.omitted:
        notes.append(_budget_note(answer.omitted, budget_tokens))
    if answer.is_cut:
        notes.append(f"ended after {answer.total_matches} matching lines; a narrower pattern or --path shows the rest")
    if answer.hits and answer.is_late:
        notes.append(f"ended after {deadline_s:g} s, there may be more; narrow it with --path or --lang")
    return notes + stale_notes(report)


def _nothing_note(query: str, reason: str, nearest: tuple[str, ...]) -> str:
    names = f"; nearest names: {', '.join(nearest)}" if nearest else ""
    return f"no hits for {shortened(query)!r}: {reason}{names}"


def _budget_note(omitted: int, budget_tokens: int) -> str:
    return f"{omitted} more hits did not fit the budget of {budget_tokens} tokens (--budget)"


# ---------------------------------------------------------------------- get and map


def get_text(answer: GetAnswer, paint: Paint) -> str:
    """Return the items, each under a line that says what it is."""
    return "\n".join(item_text(item, paint) for item in answer.items)


def item_text(item: Item, paint: Paint) -> str:
    """Return one item under a line that says what it is."""
    head = f"{paint('path', f'{item.path}:{item.start_line}-{item.end_line}')}"
    return (
        f"{paint('quiet', '==')} {head} {item.qualname} {paint('number', f'{item.tokens}t')}\n{paint.safe(item.text)}"
    )


def get_notes(answer: GetAnswer, *, budget_tokens: int) -> list[str]:
    """Return what is to be said of the items: what they are instead, what was cut, what was left out."""
    notes = [f"{item.id}: {item.note}" for item in answer.items if item.note]
    notes += [f"{item.id}: {item.more}" for item in answer.items if item.truncated]
    if answer.omitted:
        notes.append(f"left out for the budget of {budget_tokens} tokens: {', '.join(answer.omitted)}")
    return notes


def map_text(answer: RepoMapAnswer, paint: Paint) -> str:
    """Return the map with its paths painted; in plain words it is the very text whose tokens were counted."""
    lines = answer.text.split("\n") if answer.text else ()
    return "\n".join(paint.safe(line) if line.startswith(" ") else paint("path", line) for line in lines)


def map_notes(answer: RepoMapAnswer, report: RefreshReport) -> list[str]:
    """Return why there is no map, else which files are not, or not whole, on it."""
    if answer.reason:
        return [f"no map: {answer.reason}"]
    notes = []
    if answer.not_parsed:
        named = ", ".join(f"{path} ({reason})" for path, reason in answer.not_parsed[:_PATHS_NAMED_MAX])
        notes.append(f"{_files_are(answer.not_parsed)} not in the map: {_cut(named, answer.not_parsed)}")
    if answer.recovered:
        named = ", ".join(answer.recovered[:_PATHS_NAMED_MAX])
        notes.append(
            f"{_files_are(answer.recovered)} in the map as far as syntax errors allow: {_cut(named, answer.recovered)}"
        )
    if report.stale:
        notes.append(f"{len(report.stale)} changed files are being indexed by another ctx; they are mapped as before")
    return notes


def _files_are(items: Sequence[object]) -> str:
    return "1 file is" if len(items) == 1 else f"{len(items)} files are"


def _cut(named: str, items: Sequence[object]) -> str:
    return named if len(items) <= _PATHS_NAMED_MAX else f"{named}, …"


# ---------------------------------------------------------------------- symbols


def candidate_text(candidate: SymbolCandidate, paint: Paint) -> str:
    """Return a candidate on one line."""
    place = f"{paint('path', candidate.path)}:{paint('number', f'{candidate.line}:{candidate.column}')}"
    signature = f" — {paint.safe(candidate.signature)}" if candidate.signature else ""
    what = f"{paint('kind', candidate.kind)} {paint('name', candidate.qualname)}"
    return f"{place}  {what}{signature} {paint('quiet', f'({candidate.reason})')}"


def outside_text(place: ServerPlace, paint: Paint) -> str:
    """Return a place in a file that is not indexed."""
    where = "not indexed" if place.is_inside else "outside the segment"
    shown = f"{paint('path', place.path)}:{paint('number', f'{place.line}:{place.column}')}"
    return f"{shown}  {paint('quiet', f'({where})')}"


def resolve_text(answer: SymbolAnswer, paint: Paint) -> str:
    """Return the candidates, then the places outside of the index."""
    lines = [candidate_text(candidate, paint) for candidate in answer.found]
    return "\n".join(lines + [outside_text(place, paint) for place in answer.outside])


def resolve_notes(answer: SymbolAnswer | HoverAnswer, report: RefreshReport) -> list[str]:
    """Return what is to be said of an answer about a definition besides what was found."""
    notes = []
    asked = ascii(shortened(answer.query))
    if not answer.found:
        nearest = f"; nearest names: {', '.join(answer.nearest)}" if answer.nearest else ""
        notes.append(f"{asked} is not resolved: {answer.reason}{nearest}")
    elif answer.reason:
        notes.append(f"{asked}: {answer.reason}")
    return notes + stale_notes(report)


def limit_notes(answer: SymbolAnswer) -> list[str]:
    """Return how many candidates the limit left out, if any."""
    left_out = answer.total - len(answer.found) if answer.found else 0
    return [f"{left_out} more candidates (--limit)"] if left_out else []


def refs_text(answer: ReferencesAnswer, view: View, paint: Paint) -> str:
    """Return what a view is about, one use, caller or callee after the other."""
    return "\n".join(refs_rows(answer, view, paint))


def refs_rows(answer: ReferencesAnswer, view: View, paint: Paint) -> list[str]:
    """Return the text of each use, caller or callee."""
    if view == "callers":
        return [_caller_text(caller, paint) for caller in answer.callers]
    if view == "callees":
        return [_callee_text(callee, paint) for callee in answer.callees]
    return [_reference_text(reference, paint) for reference in answer.references]


def _reference_text(reference: Reference, paint: Paint) -> str:
    place = f"{paint('path', reference.path)}:{paint('number', f'{reference.line}:{reference.column}')}"
    mark = "" if reference.certain else paint("quiet", "?")
    within = f" in {paint('name', reference.within)}" if reference.within else ""
    return f"{place}  {paint('kind', reference.kind)}{mark}{within}: {paint.safe(reference.text)}"


def _caller_text(caller: Caller, paint: Paint) -> str:
    place = f"{paint('path', caller.path)}:{paint('number', caller.line)}"
    mark = "" if caller.certain else paint("quiet", "?")
    lines = ", ".join(str(line) for line in caller.lines)
    return f"{place}  {paint('name', caller.qualname or '(module)')}{mark} L{lines}: {paint.safe(caller.text)}"


def _callee_text(callee: Callee, paint: Paint) -> str:
    calls = f"L{callee.line}" + (f" ({callee.calls} calls)" if callee.calls > 1 else "")
    head = f"{paint('name', callee.name)} {calls}"
    if not callee.found:
        return f"{head}  {paint('quiet', 'not in the segment' if callee.complete else 'not known')}"
    mark = "" if callee.complete else paint("quiet", "?")
    return "\n".join([f"{head}{mark}", *(f"  {candidate_text(candidate, paint)}" for candidate in callee.found)])


def refs_notes(answer: ReferencesAnswer, view: View, report: RefreshReport) -> list[str]:
    """Return what is to be said of uses besides the list: how many, how sure, what is missing."""
    notes = []
    asked = ascii(shortened(answer.query))
    if not answer.targets:
        nearest = f"; nearest names: {', '.join(answer.nearest)}" if answer.nearest else ""
        notes.append(f"{asked} is not resolved: {answer.reason}{nearest}")
        return notes + stale_notes(report)
    if len(answer.targets) > 1:
        notes.append(f"{asked} means {len(answer.targets)} definitions; `ctx resolve` lists them")
    if view != "callees":
        uncertain = f", {answer.total - answer.certain} uncertain (?)" if answer.total > answer.certain else ""
        files = _counted(answer.files_searched, "file")
        found = _counted(answer.total, "caller" if view == "callers" else "use")
        notes.append(f"{found}{uncertain}; {files} looked at")
    if answer.reason and not (answer.total > answer.certain and answer.reason.startswith("uses whose")):
        notes.append(f"{asked}: {answer.reason}")
    if answer.omitted:
        notes.append(f"{answer.omitted} more are left out (--limit, --budget)")
    return notes + stale_notes(report)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def hover_text(answer: HoverAnswer, paint: Paint) -> str:
    """Return what a symbol is at a glance."""
    import re

    lines = [candidate_text(answer.found, paint)] if answer.found is not None else []
    lines += [outside_text(place, paint) for place in answer.outside]
    if answer.doc:
        lines.append(f"  {paint.safe(answer.doc)}")
    said = re.split(_RULER, answer.text, maxsplit=1)[0].split("\n") if answer.text else []
    lines += [f"  {paint('name', line)}" for line in said[:_SERVER_LINES_MAX]]
    if answer.found is not None:
        costs = ", ".join(f"{level} {answer.tokens[level]}t" for level in LEVELS if level in answer.tokens)
        calls = "" if answer.callers is None else f"{answer.callers} caller{'' if answer.callers == 1 else 's'}; "
        lines.append(f"  {paint('quiet', f'{calls}{costs}')}")
    return "\n".join(lines)


def ambiguity_notes(answer: HoverAnswer) -> list[str]:
    """Return that a hover is about one of several, if it is."""
    return [f"{answer.total - 1} more candidates (`ctx resolve` lists them)"] if answer.ambiguous else []


# ---------------------------------------------------------------------- for all


def redaction_notes(document: Mapping[str, Any]) -> list[str]:
    """Return what to know of an answer in which secrets were marked, nothing when none was."""
    places = document.get("redacted", 0)
    if not places:
        return []
    where = "1 place" if places == 1 else f"{places} places"
    return [f"secrets are left out in {where}: [REDACTED:…] stands in their place and is not what the file holds"]


def stale_notes(report: RefreshReport) -> list[str]:
    """Return the note about files whose change is not in the answer, nothing when all are."""
    if not report.stale:
        return []
    return [f"{len(report.stale)} changed files are being indexed by another ctx; they answer as before"]


def shortened(query: str) -> str:
    """Return a query as a note repeats it."""
    return query if len(query) <= QUERY_CHARS_SHOWN else query[: QUERY_CHARS_SHOWN - 1] + "…"
