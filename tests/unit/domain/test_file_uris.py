"""`file:` URIs: the way there and back, and what others write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.file_uris import path_of_uri, uri_of_path


@given(st.binary(max_size=30).map(lambda raw: b"/" + raw.replace(b"\0", b"")))
def test_every_path_comes_back(path: bytes) -> None:
    """Also one that is no UTF-8; the URI is plain ASCII."""
    uri = uri_of_path(path)
    assert path == path_of_uri(uri)
    assert uri.isascii()


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a%20b/%C3%A9.py", "/a b/é.py"),
        ("file:///a/é.py", "/a/é.py"),
        ("file://host/a.py", "/a.py"),
        ("file:/a.py", "/a.py"),
        ("FILE:///a.py", "/a.py"),
        ("file:///100%.py", "/100%.py"),
        ("file:///%zz%4", "/%zz\x04"),
    ],
)
def test_what_others_write_is_read(uri: str, path: str) -> None:
    """Percent signs that mean nothing, hosts, one slash."""
    assert path.encode() == path_of_uri(uri)


def test_a_path_is_written_as_editors_write_it() -> None:
    """Everything but unreserved characters and the slash is escaped, in capitals."""
    assert "file:///a%20b/c%2B%2B/%C3%A9%23%3A.py" == uri_of_path("/a b/c++/é#:.py".encode())
