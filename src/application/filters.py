"""Filters of a search: kinds, languages and paths, each a list with commas, as conditions for the index.

Owns how the lists are written and what they mean. A value in a list widens it, a filter more narrows the search; a path
pattern after `!` takes away. A comma that belongs to a name is written `[,]`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from ..domain.errors import UsageError

if TYPE_CHECKING:
    from ..domain.ports import IndexPort

PATTERN_CHARS_MAX = 1000
_SHOWN_CHARS_MAX = 60
"""Of a value that there is none of: an error is one line."""
FILTERED_OUT = "there are matches, and the filters (--kind, --lang, --path) leave none of them"

_COMMA = re.compile(r",(?![^\[\]]*\])")
"""One that does not stand in brackets."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a search is narrowed to; empty fields do not narrow."""

    kinds: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    paths_left_out: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.kinds or self.languages or self.paths or self.paths_left_out)

    def of_files(self) -> tuple[str, tuple[str, ...]]:
        """Return the condition on the files `f` with its arguments; "" when they are not narrowed."""
        conditions: list[str] = []
        arguments: list[str] = []
        if self.languages:
            conditions.append(_one_of("f.language", self.languages))
            arguments += self.languages
        if self.paths:
            conditions.append("(" + " OR ".join("f.path GLOB ?" for path in self.paths for _ in _globs(path)) + ")")
            arguments += [glob for path in self.paths for glob in _globs(path)]
        for path in self.paths_left_out:
            conditions += ["f.path NOT GLOB ?" for _ in _globs(path)]
            arguments += _globs(path)
        return " AND ".join(conditions), tuple(arguments)

    def of_chunks(self) -> tuple[str, tuple[str, ...]]:
        """Return the condition on the chunks `c` and their files `f`; "" when nothing narrows."""
        condition, arguments = self.of_files()
        if not self.kinds:
            return condition, arguments
        parts = [_one_of("c.kind", self.kinds), *([condition] if condition else [])]
        return " AND ".join(parts), (*self.kinds, *arguments)


def check_lists(*, kind: str | None, lang: str | None, path: str | None) -> None:
    """See that a list that was given (None: it was not) names something: an empty one would silently narrow nothing.

    Raises: UsageError that names the option.
    """
    for option, value in (("--kind", kind), ("--lang", lang), ("--path", path)):
        if value is not None and not value.replace(",", "").strip():
            raise UsageError(f"{option} is empty; give one or more values with commas between, or leave it out")


def read_filters(kind: str = "", lang: str = "", path: str = "") -> Filters:
    """Return the filters that three lists write; blanks around a value and empty values do not count.

    Raises: UsageError for a list of paths that is too long, or a `!` without a path that it takes away.
    """
    if len(path) > PATTERN_CHARS_MAX:
        raise UsageError(f"--path is {len(path)} characters long, at most {PATTERN_CHARS_MAX} are taken")
    paths = [_trimmed(part) for part in _COMMA.split(path)]
    if any(part.startswith("!") and not _trimmed(part[1:]) for part in paths):
        raise UsageError("--path: after '!' goes the path to leave out, a folder or a pattern")
    return Filters(
        tuple(dict.fromkeys(part.strip().lower() for part in kind.split(",") if part.strip())),
        tuple(dict.fromkeys(part.strip().lower() for part in lang.split(",") if part.strip())),
        tuple(dict.fromkeys(part for part in paths if part and not part.startswith("!"))),
        tuple(dict.fromkeys(_trimmed(part[1:]) for part in paths if part.startswith("!"))),
    )


def check_filters(filters: Filters, index: IndexPort) -> None:
    """See that every kind and language is one there is.

    Raises: UsageError that lists those there are. An index without a file refuses nothing.
    """
    if filters.kinds:
        from ..domain.symbols import Kind  # late: few searches are narrowed to a kind

        # Only a kind that is none of ours may come from a pack, and needs the look at every chunk.
        unknown = [kind for kind in filters.kinds if kind not in (*get_args(Kind), "section", "text")]
        if unknown and (kinds := index.kinds()):
            _refuse("--kind", unknown, kinds)
    if filters.languages and (languages := dict(index.facts().languages)):
        _refuse("--lang", [lang for lang in filters.languages if lang not in languages], sorted(languages))


def check_kinds_present(filters: Filters, index: IndexPort) -> None:
    """See that some chunk is of a wanted kind; for a search that found nothing, because it reads all chunks.

    Raises: UsageError that lists the kinds there are.
    """
    if filters.kinds and not set(filters.kinds) & set(kinds := index.kinds()):
        _refuse("--kind", list(filters.kinds), kinds)


def _refuse(option: str, values: list[str], known: list[str]) -> None:
    unknown = [value for value in values if value not in known]
    if unknown:
        raise UsageError(f"{option} must be one of {', '.join(known)}, found {unknown[0][:_SHOWN_CHARS_MAX]!r}")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join('?' for _ in values)})"


def _trimmed(path: str) -> str:
    """Return a path as the index writes it; "" for the segment itself, which narrows nothing."""
    trimmed = path.strip().removeprefix("./").rstrip("/")
    return "" if trimmed == "." else trimmed


def _globs(path: str) -> list[str]:
    """Return SQLite's patterns for a path: itself, and as a folder everything under it.

    GLOB's * also crosses folders, which is what `--path 'src/*.py'` means to most people who type it.
    """
    pattern = path.replace("**/", "*").replace("**", "*").replace("[!", "[^")
    return [pattern, pattern + "/*"]
