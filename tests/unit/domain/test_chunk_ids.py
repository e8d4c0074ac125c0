"""Ids: their text, what they are read back as, and what is none."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.chunk_ids import ChunkId, digest_of, format_id, parse_id, snippet_of

_paths = st.text(min_size=1)
_qualnames = st.text(alphabet=st.characters(exclude_characters="#"))
_digests = st.binary(max_size=8).map(digest_of)


@given(st.builds(ChunkId, _paths, _qualnames, _digests, st.integers(1, 10**6)))
def test_every_id_is_read_back_from_its_text(chunk_id: ChunkId) -> None:
    """Whatever the path (a `#`, an `@`, a newline, another id), the text leads back to the id."""
    assert chunk_id == parse_id(str(chunk_id))


@given(st.text())
def test_what_is_read_as_an_id_prints_as_it_was_written(text: str) -> None:
    """There is one spelling of each id."""
    found = parse_id(text)
    assert found is None or text == str(found)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "src/a.py",
        "src/a.py#f",
        "src/a.py:12",
        "#f@12345678",
        "a.py#f@1234567",
        "a.py#f@123456789",
        "a.py#f@1234567G",
        "a.py#f@ABCDEF12",
        "a.py#f@12345678~0",
        "a.py#f@12345678~1",
        "a.py#f@12345678~02",
        "a.py#f@12345678~",
        "a.py#f@12345678 ",
        "a.py#f@12345678~" + "9" * 5000,
        "a.py#f@١٢٣٤٥٦٧٨",
    ],
)
def test_what_has_not_an_ids_form_is_none(text: str) -> None:
    """No prefix, spelling or number comes close enough."""
    assert parse_id(text) is None


def test_the_first_twin_carries_no_number() -> None:
    """Only equal twins after the first are told apart by a number."""
    assert "a.py#f@12345678" == format_id("a.py", "f", "12345678", 1)
    assert "a.py#f@12345678~2" == format_id("a.py", "f", "12345678", 2)


def test_digest_is_the_head_of_sha256() -> None:
    """Anybody can recompute an id from the text it stands for."""
    assert hashlib.sha256(b"def f(): ...\n").hexdigest()[:8] == digest_of(b"def f(): ...\n")


def test_snippet_is_the_signature_and_the_first_line_of_the_documentation() -> None:
    """Without documentation it is the signature alone."""
    assert "def f(a)" == snippet_of("def f(a)", "")
    assert "def f(a)\n    Do it." == snippet_of("def f(a)", "Do it.")
