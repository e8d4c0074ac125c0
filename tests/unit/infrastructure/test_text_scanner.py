"""Text scanners: the same matches from every engine, and from a plain reading of the files line by line."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import RecordingTelemetry

from ctx.domain.errors import UsageError
from ctx.domain.text_match import TextFile, literal_pattern, regex_pattern
from ctx.infrastructure import text_scanner
from ctx.infrastructure.file_system import FileSystemAdapter
from ctx.infrastructure.text_scanner import Re2Scanner, RipgrepScanner, compiled, line_matches, scanner_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ctx.domain.text_match import LineMatch, TextPattern

LINES = [
    "def get_user(self, name: str) -> User:",
    "    return self.users[name]  # größe, naïve café",
    "",
    "\tTODO: x == 'a|b' && y.z() {2}",
    "class HTTPServer2(Base_Server):",
    "foo_bar = FooBar(1, 22, 333)",
    "  ",
    "K is KELVIN, \u212a too, \u017f is a long s, İ has a dot",
    "日本語 text \U0001f600 done",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
    "a\rb lone return",
    "x" * 700 + " needle " + "é" * 700,
    "trailing blanks   ",
    "if __name__ == '__main__':",
    "-e --files $HOME \\path\\to [x] ^caret$",
]
LATIN = ["größe = 1", "café(naïve)", "plain line", "TODO £5", ""]

REGEXES = [
    r"get_\w+",
    r"\bTODO\b",
    r"^\s*$",
    r"^$",
    r"$",
    r".",
    r"^",
    r"\w+\(",
    r"[A-Z][a-z]+[A-Z]\w*",
    r"\d{2,3}",
    r"^\s+return\b",
    r"caf.",
    r"caf[^a-z]",
    r"gr[öo][ßs]e",
    r"na\x{ef}ve",
    r"(foo|Foo)_?[Bb]ar",
    r"(a|aa)+!$",
    r"(?:xx)*y",
    r"blanks\s*$",
    r"\Bame",
    r"\W{3}",
    r"\D\S\s",
    r"[^\w\s]",
    r"[[:upper:]]{4}",
    r"[[:^alnum:]]{4}",
    r"__\w+__",
    r"b lone|done$",
    r"a.b",
    r"\{2\}",
    r"x{700}",
    r"|needle",
    r"\x{1F600}",
    r"日.語",
    r"return$",
    r"\$HOME|\\path",
    "k|\u017f",
]
LITERALS = [
    "TODO",
    "def ",
    "a|b",
    "[name]",
    "größe",
    "é",
    "needle",
    "(",
    "\\path\\to",
    "-e --files",
    " ",
    "{2}",
    "\t",
    "日本",
    "k",
    "zzz",
]


def _corpus(root: Path) -> list[TextFile]:
    """Write files in every encoding and with every line end, and return them as the index would list them."""
    contents: dict[str, tuple[str, str, bytes]] = {}
    for at in range(80):
        lines = [LINES[(at * 7 + step * (at % 5 + 1)) % len(LINES)] for step in range(at % 13)]
        newline = "\r\n" if at % 3 == 0 else "\n"
        text = newline.join(lines) + ("" if at % 4 == 0 else newline)
        contents[f"pkg{at % 6}/m{at}.py"] = ("utf-8", text, text.encode())
    for at in range(6):
        text = "\n".join(LATIN[at % 3 :]) + "\n"
        contents[f"old/latin{at}.txt"] = ("latin-1", text, text.encode("latin-1"))
        declared = "# coding: cp1252\n" + text
        contents[f"old/declared{at}.py"] = ("cp1252", declared, declared.encode("cp1252"))
        wide = "\n".join(LINES[at : at + 5])
        contents[f"wide/w{at}.txt"] = ("utf-16-le", wide, b"\xff\xfe" + wide.encode("utf-16-le"))
        contents[f"mark/b{at}.txt"] = ("utf-8-sig", wide, b"\xef\xbb\xbf" + wide.encode())
    contents["-odd name.txt"] = ("utf-8", "TODO\n", b"TODO\n")
    contents["only_end.txt"] = ("utf-8", "\n", b"\n")
    contents["empty.txt"] = ("utf-8", "", b"")
    for path, (_encoding, _text, raw) in contents.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_bytes(raw)
    stray = os.path.join(os.fsencode(root), b"caf\xe9.txt")
    with open(stray, "wb") as file:
        file.write(b"TODO here\n")
    files = [TextFile(os.fsencode(path), path, encoding) for path, (encoding, _t, _r) in sorted(contents.items())]
    return [*files, TextFile(b"caf\xe9.txt", r"caf\xe9.txt", "utf-8")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def corpus(root: Path) -> list[TextFile]:
    return _corpus(root)


def adapter(root: Path) -> FileSystemAdapter:
    return FileSystemAdapter(str(root), telemetry=RecordingTelemetry())


def scanners(root: Path) -> list[Re2Scanner | RipgrepScanner]:
    """Return every scanner there can be on this machine."""
    inner = Re2Scanner(adapter(root))
    program = shutil.which("rg")
    return [inner] if program is None else [inner, RipgrepScanner(program, str(root), inner)]


def found(
    scanner: Re2Scanner | RipgrepScanner, pattern: TextPattern, files: Sequence[TextFile]
) -> list[tuple[str, LineMatch]]:
    return [(file.path, match) for file, match in scanner.scan(pattern, files, lambda: 10.0)]


def by_hand(root: Path, files: Sequence[TextFile], expression: re.Pattern[str]) -> list[tuple[str, int, int]]:
    """Return (path, line, column) of the first match of each line, the plainest way there is."""
    places = []
    for file in files:
        text = (root / os.fsdecode(file.os_path)).read_bytes().decode(file.encoding).removeprefix("\ufeff")
        lines = text.split("\n")
        for number, line in enumerate(lines[:-1] if lines[-1] == "" else lines, start=1):
            is_last = number == len(lines)
            if match := expression.search(line if is_last else line.removesuffix("\r")):
                places.append((file.path, number, match.start() + 1))
    return places


def as_python(regex: str) -> str:
    """Spell one of REGEXES for Python's engine."""
    classes = {"[[:upper:]]": "[A-Z]", "[[:^alnum:]]": "[^A-Za-z0-9]", r"\x{ef}": "ï", r"\x{1F600}": "\U0001f600"}
    for ours, theirs in classes.items():
        regex = regex.replace(ours, theirs)
    return regex


@pytest.mark.parametrize("ignore_case", [False, True])
@pytest.mark.parametrize("regex", REGEXES)
def test_every_engine_finds_what_a_plain_reading_finds(
    root: Path, corpus: list[TextFile], regex: str, ignore_case: bool
) -> None:
    """The same lines and columns in the same order, in every encoding, with and without ripgrep."""
    pattern = regex_pattern(regex, ignore_case=ignore_case)
    answers = [found(scanner, pattern, corpus) for scanner in scanners(root)]
    assert all(answer == answers[0] for answer in answers)
    places = [(path, match.line, match.column) for path, match in answers[0]]
    # Python folds ASCII letters alone under re.ASCII and İ to two characters without it: ask it where both agree.
    if not ignore_case:
        assert by_hand(root, corpus, re.compile(as_python(regex), re.ASCII)) == places
    else:
        assert len(places) >= len(found(scanners(root)[0], regex_pattern(regex), corpus))


@pytest.mark.parametrize("literal", LITERALS)
def test_a_literal_is_found_wherever_it_stands(root: Path, corpus: list[TextFile], literal: str) -> None:
    """Nothing in it means anything, and its match is shown."""
    answers = [found(scanner, literal_pattern(literal), corpus) for scanner in scanners(root)]
    assert all(answer == answers[0] for answer in answers)
    expected = by_hand(root, corpus, re.compile(re.escape(literal)))
    assert expected == [(path, match.line, match.column) for path, match in answers[0]]
    for _path, match in answers[0]:
        assert match.text[match.start : match.end] == literal[: match.end - match.start]
        assert match.text[match.start : match.end] or not literal.strip()


_pieces = st.sampled_from([*"abkX_1 .é", r"\w", r"\d", r"\s", r"\W", r"\b", "[a-k]", "[^a]", "^", "$", "(a|é)", "(k?)"])
_patterns = st.lists(st.tuples(_pieces, st.sampled_from(["", "", "*", "+", "?", "{2}"])), min_size=1, max_size=5)
_texts = st.lists(st.text(alphabet="abkX_1 .éK\t", max_size=8), max_size=6)


@settings(max_examples=200)
@given(_patterns, _texts, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_made_up_pattern_matches_as_in_python(
    pieces: list[tuple[str, str]], lines: list[str], newline: str, has_last_end: bool
) -> None:
    """Line by line, by RE2 on the whole text and by Python on each line."""
    regex = "".join(f"(?:{piece}){mark}" for piece, mark in pieces)
    text = newline.join(lines) + (newline if has_last_end else "")
    got = [(m.line, m.column) for m in line_matches(compiled(regex_pattern(regex)), text.encode())]
    expression = re.compile(regex.replace(r"\s", r"[\t\v\f\r ]"), re.ASCII)
    rows = text.split("\n")
    rows = rows[:-1] if rows[-1] == "" else rows
    expected = []
    for number, row in enumerate(rows, start=1):
        line = row.removesuffix("\r") if newline == "\r\n" and number < len(text.split("\n")) else row
        if match := expression.search(line):
            expected.append((number, match.start() + 1))
    assert expected == got


def test_a_long_line_is_shown_around_its_match() -> None:
    """However long it is; the column counts characters from its start."""
    text = "é" * 50_000 + "needle" + "ü" * 50_000
    (match,) = line_matches(compiled(literal_pattern("needle")), text.encode())
    assert (1, 50_001, "needle") == (match.line, match.column, match.text[match.start : match.end])
    assert len(match.text) <= 160
    assert match.text.startswith("…é")
    assert match.text.endswith("ü…")
    (whole,) = line_matches(compiled(regex_pattern(".+")), text.encode())
    assert (0, 160) == (whole.start, len(whole.text))


def test_no_pattern_takes_exponential_time() -> None:
    """What makes a backtracking engine run for years has an end."""
    assert [] == list(line_matches(compiled(regex_pattern("(a+)+$")), b"a" * 100_000 + b"!"))


def test_a_pattern_too_large_is_refused(root: Path, corpus: list[TextFile]) -> None:
    """By the engine, in one line."""
    pattern = regex_pattern(
        r"((\p{L}{100}){10}|(\p{N}{100}){10}){1}(\w{1000})(\S{1000})(\PL{1000})(\pL{1000})(\pN{1000})"
    )
    for scanner in scanners(root):
        with pytest.raises(UsageError, match="too much for the engine"):
            found(scanner, pattern, corpus)
    with pytest.raises(UsageError, match="invalid repetition size"):
        compiled(regex_pattern("((a{100}){100}){100}"))


def test_what_is_gone_closed_or_led_elsewhere_has_no_matches(
    root: Path, tmp_path: Path, corpus: list[TextFile]
) -> None:
    """A link in place of a folder is not followed, though ripgrep follows it."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/m.txt").write_text("TODO secret\n")
    (root / "link").symlink_to(tmp_path / "secret")
    try:
        files = [*corpus, TextFile(b"link/m.txt", "link/m.txt", "utf-8"), TextFile(b"gone.txt", "gone.txt", "utf-8")]
        for scanner in scanners(root):
            paths = {path for path, _match in found(scanner, literal_pattern("TODO"), files)}
            assert paths
            assert paths.isdisjoint({"link/m.txt", "gone.txt"})
    finally:
        (root / "link").unlink()


def test_a_scan_stops_when_time_is_up(root: Path, corpus: list[TextFile], monkeypatch: pytest.MonkeyPatch) -> None:
    """Between files and within one that matches everywhere."""
    for scanner in scanners(root):
        assert [] == list(scanner.scan(literal_pattern("TODO"), corpus, lambda: 0.0))
    (root / "big.txt").write_text("x\n" * 1000)
    monkeypatch.setattr(text_scanner, "MATCHES_PER_LOOK", 10)
    left = iter([1.0, 0.0])
    matches = list(
        Re2Scanner(adapter(root)).scan(
            literal_pattern("x"), [TextFile(b"big.txt", "big.txt", "utf-8")], lambda: next(left)
        )
    )
    (root / "big.txt").unlink()
    assert 10 == len(matches)


# --- ripgrep, played by a program of ours ----------------------------------------------------------------------------


def _program(tmp_path: Path, body: str) -> str:
    """Write an `rg` that keeps its arguments and then does as told."""
    program = tmp_path / "bin/rg"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\n{body}\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("body", ["exit 2", "exit 127", "kill -9 $$"])
def test_where_ripgrep_fails_every_file_is_read(root: Path, corpus: list[TextFile], tmp_path: Path, body: str) -> None:
    """It makes a search faster and not different."""
    inner = Re2Scanner(adapter(root))
    scanner = RipgrepScanner(_program(tmp_path, body), str(root), inner)
    expected = found(inner, literal_pattern("TODO"), corpus)
    assert expected == found(scanner, literal_pattern("TODO"), corpus)
    assert expected == found(RipgrepScanner(str(tmp_path / "none"), str(root), inner), literal_pattern("TODO"), corpus)


def test_only_what_ripgrep_names_is_read(root: Path, corpus: list[TextFile], tmp_path: Path) -> None:
    """And what it could not understand: other encodings and notebooks; it is given the rest by name, after `--`."""
    inner = Re2Scanner(adapter(root))
    scanner = RipgrepScanner(_program(tmp_path, r"printf './-odd name.txt\0./unasked.txt\0'"), str(root), inner)
    files = [*corpus, TextFile(b"n.ipynb", "n.ipynb", "utf-8")]
    paths = {path for path, _match in found(scanner, literal_pattern("TODO"), files)}
    assert "-odd name.txt" in paths
    assert not any(path.startswith("pkg") for path in paths)
    assert {"old/latin0.txt", "wide/w0.txt"} <= paths
    given = (tmp_path / "arguments").read_text(errors="surrogateescape").split("\n")
    named = given[given.index("--") + 1 :]
    assert "./-odd name.txt" in named
    assert {"./n.ipynb", "./old/latin0.txt", "./wide/w0.txt", "./mark/b0.txt"}.isdisjoint(named)
    assert {"--no-config", "--no-mmap", "--text"} <= set(given)


def test_ripgrep_is_ended_with_the_time(root: Path, corpus: list[TextFile], tmp_path: Path) -> None:
    """Whatever it is doing."""
    scanner = RipgrepScanner(_program(tmp_path, "exec tail -f /dev/null"), str(root), Re2Scanner(adapter(root)))
    asked: list[float] = []

    def left_s() -> float:
        asked.append(0.05 if len(asked) < 2 else 0.0)
        return asked[-1]

    assert [] == list(scanner.scan(literal_pattern("TODO"), corpus, left_s))
    assert 0.0 == asked[-1]


def test_names_are_cut_into_command_lines(root: Path, corpus: list[TextFile], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost and nothing comes twice."""
    monkeypatch.setattr(text_scanner, "BATCH_BYTES_MAX", 100)
    monkeypatch.setattr(text_scanner, "RIPGREP_FILES_MIN", 1)
    batches = list(text_scanner._batches(corpus))
    assert corpus == [file for batch in batches for file in batch]
    assert len(batches) > 10
    assert all(sum(len(file.os_path) + 16 for file in batch) <= 100 for batch in batches if len(batch) > 1)
    assert [] == list(text_scanner._batches([]))
    first, *others = [found(scanner, literal_pattern("TODO"), corpus) for scanner in scanners(root)]
    assert all(first == other for other in others)


def test_ripgrep_is_taken_from_the_path_alone(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never from the folder one stands in: that may be somebody else's repository."""
    program = _program(tmp_path, "exit 1")
    monkeypatch.setenv("PATH", os.path.dirname(program))
    assert "ripgrep+re2" == scanner_of(adapter(root)).engine
    monkeypatch.chdir(tmp_path / "bin")
    for path in (".", "", str(tmp_path)):
        monkeypatch.setenv("PATH", path)
        assert "re2" == scanner_of(adapter(root)).engine
