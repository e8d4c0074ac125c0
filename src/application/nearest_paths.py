"""Which indexed files a path that is none may mean."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_PATH_CHARS_MAX = 300
_NAME_CUTOFF = 0.6


def nearest_paths(path: str, known: Collection[str], count: int = 3) -> tuple[str, ...]:
    """Return up to `count` known paths: files of the same name, else of a like one, the most alike path first."""
    path = path[:_PATH_CHARS_MAX].replace("\\", "/").strip("/")
    name = path.rpartition("/")[2]
    if not name:
        return ()
    by_name: dict[str, list[str]] = {}
    for one in known:
        by_name.setdefault(one.rpartition("/")[2], []).append(one)
    alike = [name] if name in by_name else difflib.get_close_matches(name, by_name, n=count, cutoff=_NAME_CUTOFF)
    found: list[str] = []
    for one in alike:
        matcher = difflib.SequenceMatcher(b=path, autojunk=False)

        def likeness(candidate: str, matcher: difflib.SequenceMatcher[str] = matcher) -> tuple[float, str]:
            matcher.set_seq1(candidate)
            return -matcher.ratio(), candidate

        found += sorted(by_name[one], key=likeness)
    return tuple(found[:count])
