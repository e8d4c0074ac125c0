"""Two answers to one question: what Tree-sitter and the index found, and what a language server said meanwhile.

Owns which of them counts. The server's word is final for what it answers, and it is final only then: no answer, none in
time and one that knows nothing leave the other with its own grade. Nothing here asks or waits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..domain.symbol_answer import GUESSES, SERVER_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from ..domain.language_server import ServerPlace, ServerReply
    from ..domain.symbol_answer import Reference
    from .definition_finder import DefinitionFinder, Meaning
    from .resolve import Resolution

PLACES_MAX = 200
"""Places of a definition that are looked at: more are no answer to anybody."""

_CERTAIN = frozenset({"exact", "same file", "local scope"})
"""What the file itself says of a name; a server that knows nothing takes nothing away from it."""


@dataclass(frozen=True, slots=True)
class Pointed:
    """Where a reply points: to what the index knows, in the server's order, and to places in no indexed file."""

    meanings: tuple[Meaning, ...] = ()
    outside: tuple[ServerPlace, ...] = ()


def pointed(reply: ServerReply, name: str, finder: DefinitionFinder) -> Pointed:
    """Return what stands at the places of a reply to a question about `name`."""
    meanings: dict[tuple[str, int, str], Meaning] = {}
    outside: list[ServerPlace] = []
    for place in dict.fromkeys(reply.places[:PLACES_MAX]):
        found = finder.at_place(place.path, place.line, place.column, name) if place.is_inside else None
        if found is None:
            outside.append(place)
        else:
            meanings.setdefault(_key(found), found._replace(reason="server"))
    return Pointed(tuple(meanings.values()), tuple(outside))


def graded(own: Resolution, reply: ServerReply, server: Pointed, name: str) -> Resolution:
    """Return the answer to a question about `name` from our own and the server's.

    Of a definition that both found, our reason for it is kept. A server that points to an import of the name in place
    of what is imported has not gone as far as we have; one that points to a copy of the definition (an installed one,
    or through a link) means the definition.
    """
    own = replace(own, reply=reply)
    if not reply.is_answer:
        return own
    if not (server.meanings or server.outside):
        if own.complete and not own.meanings:
            return own  # both know nothing of it in the segment
        is_certain = all(meaning.reason in _CERTAIN for meaning in own.meanings)
        reason = "; ".join(filter(None, (own.reason, f"{reply.server} knows no definition of it")))
        return replace(own, complete=own.complete and is_certain, reason=reason)
    if own.complete and not server.outside and all(_is_import_of(meaning, name) for meaning in server.meanings):
        return own
    known = own.meanings if own.complete else ()
    copies = {place: meaning for place in server.outside for meaning in known if _is_copy(place, meaning)}
    by_place = {_key(meaning): meaning for meaning in own.meanings if meaning.reason not in GUESSES}
    found = dict.fromkeys((*(by_place.get(_key(m), m) for m in server.meanings), *copies.values()))
    outside = tuple(place for place in server.outside if place not in copies)
    return replace(
        own,
        meanings=tuple(found),
        word=own.word if found else "",
        resolved_by=SERVER_PREFIX + reply.server,
        complete=True,
        reason="" if found else _where(name, outside),
        outside=outside,
    )


def _where(name: str, outside: Sequence[ServerPlace]) -> str:
    first = outside[0]
    of_what = "in a file that is not indexed" if first.is_inside else "outside the segment"
    return f"{name} is defined {of_what}: {first.path.rpartition('/')[2]}:{first.line}"


def _key(meaning: Meaning) -> tuple[str, int, str]:
    return meaning.path, meaning.row.name_line, meaning.row.name


def _is_import_of(meaning: Meaning, name: str) -> bool:
    return meaning.row.kind == "import" and meaning.row.name == name


def _is_copy(place: ServerPlace, meaning: Meaning) -> bool:
    """Tell whether a place is the same line and column of a file of the same name; the beginning of a file is not."""
    is_same_file_name = place.path.rpartition("/")[2] == meaning.path.rpartition("/")[2]
    return is_same_file_name and meaning.kind != "module" and (place.line, place.column) == _name_place(meaning)


def _name_place(meaning: Meaning) -> tuple[int, int]:
    return meaning.row.name_line, meaning.row.name_column


def places_of_uses(
    replies: Iterable[ServerReply], targets: Sequence[Meaning], is_indexed: Callable[[str], bool]
) -> tuple[list[tuple[str, int, int]], int]:
    """Return (path, line, column) of each use that servers know in indexed files, and how many there are elsewhere.

    The definitions themselves are among their uses, whether or not a server counts them.
    """
    found = dict.fromkeys((target.path, *_name_place(target)) for target in targets)
    elsewhere = 0
    known: dict[str, bool] = {}
    for place in dict.fromkeys(place for reply in replies for place in reply.places):
        if place.is_inside and place.path not in known:
            known[place.path] = is_indexed(place.path)
        if place.is_inside and known[place.path]:
            found[place.path, place.line, place.column] = None
        else:
            elsewhere += 1
    return list(found), elsewhere


def unseen_by_server(
    own: Iterable[Reference],
    places: Collection[tuple[str, int, int]],
    languages: Collection[str],
    language_of: Callable[[str], str],
) -> list[Reference]:
    """Return the certain uses that we found in files the server does not see.

    It sees the files it names a use in and all those in the languages of the definitions. Where it looked, what it left
    out is no use, and what we are not certain of it has decided.
    """
    seen = {path for path, _line, _column in places}
    return [use for use in own if use.certain and use.path not in seen and language_of(use.path) not in languages]
