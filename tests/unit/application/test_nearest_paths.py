"""Which files a wrong path may mean."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ctx.application.nearest_paths import nearest_paths

KNOWN = ("django/db/models/query.py", "django/db/models/sql/query.py", "django/http/request.py", "docs/ref/request.txt")


def test_files_of_the_same_name_come_first() -> None:
    """The most alike path before the others."""
    assert ("django/db/models/query.py", "django/db/models/sql/query.py") == nearest_paths("db/model/query.py", KNOWN)


def test_like_names_are_found() -> None:
    """A slip in the file's name, in any folder."""
    assert ("django/http/request.py",) == nearest_paths("http/requests.py", KNOWN, 1)


def test_nothing_is_near() -> None:
    """A name like none, and no name at all."""
    assert ((), (), ()) == (nearest_paths("zzz", KNOWN), nearest_paths("", KNOWN), nearest_paths("/", KNOWN))


@given(st.text(max_size=400), st.lists(st.text(max_size=20), max_size=8), st.integers(1, 4))
def test_only_known_paths_are_named(path: str, known: list[str], count: int) -> None:
    """Never more than asked for, whatever is asked."""
    found = nearest_paths(path, known, count)
    assert len(found) <= count
    assert set(found) <= set(known)
