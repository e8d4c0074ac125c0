"""No absolute path, home directory or user name leaves, and ordinary text is left alone."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctx.domain.telemetry.redaction import (
    PathRedactor,
    may_hold_path,
    normalised,
    printable,
    short_hash,
    truncated,
)

REDACTOR = PathRedactor(["/home/bob/proj", "/mnt/disk/proj"], ["/home/bob"])


def outside(path: str, name: str) -> str:
    return f"external/{short_hash(path)}-{name}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/bob/proj/src/a.py", "src/a.py"),
        ("/mnt/disk/proj/src/a.py:12:3", "src/a.py:12:3"),
        ("/home/bob/proj", "."),
        ("(see /home/bob/proj/a.py).", "(see a.py)."),
        ("-I/home/bob/proj/include", "-Iinclude"),
        ("/home/bob/project2/x", outside("/home/bob/project2/x", "x")),
        ("/home/bob/proj/../other/z", outside("/home/bob/other/z", "z")),
        ("cannot read /home/bob/x.py: denied", f"cannot read {outside('/home/bob/x.py', 'x.py')}: denied"),
        ("in '/etc/hosts'", f"in '{outside('/etc/hosts', 'hosts')}'"),
        ("see /home/bob.", f"see {outside('/home/bob', 'home')}."),
        ("/home/alice,/x", f"{outside('/home/alice', 'home')},/x"),
        ("PATH=/usr/bin:/home/bob/bin", f"PATH={outside('/usr/bin', 'bin')}:{outside('/home/bob/bin', 'bin')}"),
        ("file:///home/bob/My%20Docs/x.py", outside("/home/bob/My Docs/x.py", "x.py")),
        ("file://host/home/bob/proj/a%2Gb", "a%2Gb"),
        ("~/notes/x.md", outside("/home/bob/notes/x.md", "x.md")),
        ("~/proj/a.py", "a.py"),
        ("~bob", outside("~bob", "home")),
        ("~eve/x", outside("~eve/x", "x")),
        (r"C:\Users\eve", outside(r"C:\Users\eve", "home")),
        (r"at C:\Users\eve\x.py", "at " + outside(r"C:\Users\eve\x.py", "x.py")),
        (r"\\server\share\x.txt", outside(r"\\server\share\x.txt", "x.txt")),
    ],
)
def test_absolute_path_is_replaced(text: str, expected: str) -> None:
    """Inside a text, a list, an option, a URI; in and out of the segment."""
    assert REDACTOR.text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("a/b", "GET /users", "https://example.com/a/b", "**/foo/bar", "and/or", "a ~ b", "x = y / 2", "// TODO", ""),
        *(r"\d+\w", "src//x.py", "2024/01/02", "<b>/x/y", "src/home/b.py"),
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """A query is what was asked, not what looks like a path."""
    assert REDACTOR.text(text) == text


def test_single_component_home_does_not_mangle_relative_paths() -> None:
    """With the home directory /root, `src/root/x.py` is still itself."""
    redactor = PathRedactor(["/srv/project"], ["/root"])
    assert redactor.text("src/root/x.py and my/root") == "src/root/x.py and my/root"
    assert redactor.text("open /root/x.py") == f"open {outside('/root/x.py', 'x.py')}"
    assert redactor.text("-I/root") == f"-I{outside('/root', 'home')}"


def test_segment_named_after_the_user_or_above_the_home_hides_the_name() -> None:
    """The segment may be the home directory or /home itself; the user's name is still nobody's business."""
    assert PathRedactor(["/home/bob"], ["/home/bob"]).segment_name() == "home"
    assert PathRedactor(["/"], ["/home/bob"]).segment_name() == "root"
    assert PathRedactor(["/home"], ["/home/bob"]).text("/home/bob/x.py") == outside("/home/bob/x.py", "x.py")
    assert PathRedactor(["/home/bob"], ["/home/bob"]).text("~/x.py") == "x.py"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/bob/My Docs/x.py", outside("/home/bob/My Docs/x.py", "x.py")),
        ("/home/bob/proj/with space/x.py", "with space/x.py"),
        ("src/a.py", "src/a.py"),
        ("src/../a.py", "src/../a.py"),
        ("../../bob/x.py", outside("/home/bob/x.py", "x.py")),
        ("~/proj/x.py", "x.py"),
    ],
)
def test_value_that_is_a_path_is_taken_whole(path: str, expected: str) -> None:
    """Under a key such as `file` spaces do not end a path, and a relative path may not climb to a name."""
    assert REDACTOR.value({"file": path}) == {"file": expected}


def test_value_becomes_json_types() -> None:
    """What JSON has no type for becomes its type's name; paths are paths; nothing raises."""
    cycle: list[Any] = []
    cycle.append(cycle)
    value = {
        "path": PurePosixPath("/home/bob/proj/a.py"),
        "bytes": b"secret",
        "other": object(),
        "nan": float("nan"),
        "tuple": (1, True, None, 1.5),
        "name": "caf\udce9.py",
        ("odd", "key"): "/home/bob/proj/x",
    }
    assert REDACTOR.value(value) == {
        "path": "a.py",
        "bytes": "bytes",
        "other": "object",
        "nan": None,
        "tuple": [1, True, None, 1.5],
        "name": r"caf\xe9.py",
        "('odd', 'key')": "x",
    }
    assert json.dumps(REDACTOR.value(cycle)).count("[") == 16


def test_text_is_cut_after_redaction() -> None:
    """120 characters with the ellipsis, and never half a path."""
    cut = REDACTOR.value("x" * 110 + " /home/bob/proj/a.py and more", chars_max=120)
    assert cut == "x" * 110 + " a.py and…"
    assert truncated("x" * 120) == "x" * 120


def test_lone_surrogates_are_spelled_out() -> None:
    """A file name byte is shown as a byte, any other surrogate as its number."""
    assert printable("a\udcffb\ud800") == r"a\xffb\ud800"


def test_normalised_stays_at_the_root() -> None:
    """`..` above the root is the root."""
    assert normalised("/../a//b/./c/..") == "/a/b"


TEXTS = st.text(alphabet=st.sampled_from("ab/.~\\ :\"'=(-I%éx\n"), max_size=30)


@given(TEXTS, st.sampled_from(["/home/bob/x.py", "/home/bob", "/home/bob/proj/y.py", "~/z", "/etc/passwd"]), TEXTS)
@example("-I", "/etc/passwd", "")
@example("a -I", "/etc/passwd", "")
def test_cheap_check_never_misses_what_the_pattern_finds(before: str, path: str, after: str) -> None:
    """Whatever redaction would change, the check on the encoded bytes flags."""
    text = before + path + after
    for candidate in (text, before):
        if REDACTOR.text(candidate) != candidate:
            assert may_hold_path(json.dumps(candidate, ensure_ascii=False).encode(), REDACTOR.root_bytes)


@given(TEXTS, st.sampled_from(["/home/bob/x.py", "/home/bob/proj/y.py", "file:///home/bob/q"]), TEXTS)
def test_home_never_survives_where_a_path_can_stand(before: str, path: str, after: str) -> None:
    """With any text around it the home directory is gone."""
    assert "/home/bob/" not in REDACTOR.text(f"{before} {path} {after}")
