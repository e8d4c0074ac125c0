"""Text scanners: RE2 decides what matches, ripgrep (where there is one) says which files are worth reading.

Owns both engines. Every match comes from RE2 on the text as `FileSystemAdapter` reads and decodes it, so the answer is
the same with and without ripgrep, links lead nowhere, and a file's encoding does not matter. RE2 runs in linear time:
no pattern makes it backtrack.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import re2

from ..domain.errors import UsageError
from ..domain.source_files import NOTEBOOK_SUFFIX, Skipped
from ..domain.text_match import MATCH_CHARS_MAX, LineMatch, TextFile, cut_around

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..domain.text_match import TextPattern
    from .file_system import FileSystemAdapter

BATCH_BYTES_MAX = 512 * 1024
"""Paths in one command line of ripgrep: a quarter of what Linux takes with the usual stack."""
RIPGREP_FILES_MIN = 64
"""Fewer files are read sooner than a process starts."""
MATCHES_PER_LOOK = 256
"""Matches in one file between two looks at the clock."""
_ENGINE_BYTES_MAX = 32 * 1024 * 1024
_LINE_BYTES_NEAR = 4 * MATCH_CHARS_MAX
"""UTF-8 bytes on either side of a match that hold as many characters as are handed on."""
_CONTINUATION = bytes(range(0x80, 0xC0))


class Re2Scanner:
    """Reads every file and matches with RE2."""

    engine = "re2"

    def __init__(self, files: FileSystemAdapter) -> None:
        self._files = files

    def is_as_on_disk(self, os_path: bytes) -> bool:
        """Tell whether ripgrep would see what we read."""
        return self._files.is_as_on_disk(os_path)

    def scan(
        self, pattern: TextPattern, files: Sequence[TextFile], left_s: Callable[[], float]
    ) -> Iterator[tuple[TextFile, LineMatch]]:
        """Yield the first match of every matching line; see `TextScanner`."""
        expression = compiled(pattern)
        for file in files:
            if left_s() <= 0:
                return
            source = self._files.read_source(file.os_path)
            if isinstance(source, Skipped):
                continue
            for count, match in enumerate(line_matches(expression, source.utf8), start=1):
                yield file, match
                if count % MATCHES_PER_LOOK == 0 and left_s() <= 0:
                    return


class RipgrepScanner:
    """Has ripgrep leave out the files without a match; what is left goes to the other scanner.

    ripgrep is given the indexed files by name and the wide form of the pattern, and asked for file names alone. Where
    it fails in any way its batch is read whole: it can make a search faster and not different.
    """

    engine = "ripgrep+re2"

    def __init__(self, program: str, root: str, inner: Re2Scanner) -> None:
        self._program = program
        self._root = root
        self._inner = inner

    def scan(
        self, pattern: TextPattern, files: Sequence[TextFile], left_s: Callable[[], float]
    ) -> Iterator[tuple[TextFile, LineMatch]]:
        """Yield the first match of every matching line; see `TextScanner`."""
        compiled(pattern)  # a pattern too large is refused before anything is started
        for batch in _batches(files):
            if left_s() <= 0:
                return
            yield from self._inner.scan(pattern, self._worth_reading(pattern, batch, left_s), left_s)

    def _worth_reading(
        self, pattern: TextPattern, batch: Sequence[TextFile], left_s: Callable[[], float]
    ) -> Sequence[TextFile]:
        if len(batch) < RIPGREP_FILES_MIN:
            return batch
        named = [b"./" + file.os_path for file in batch if self._is_as_on_disk(file)]
        command: list[str | bytes] = [self._program, "--no-config", "--no-ignore", "--hidden", "--text", "--no-mmap"]
        command += ["--no-messages", "--color=never", "--files-with-matches", "--null", "--regexp", pattern.wide, "--"]
        try:
            done = subprocess.run(
                [*command, *named],
                cwd=self._root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=max(0.001, left_s()),
                check=False,
            )
        except subprocess.TimeoutExpired:
            left_s()
            return ()
        except OSError:
            return batch
        if done.returncode not in (0, 1):  # a file that vanished, or a pattern it finds too large
            return batch
        found = {name.removeprefix(b"./") for name in done.stdout.split(b"\0")}
        return [file for file in batch if file.os_path in found or not self._is_as_on_disk(file)]

    def _is_as_on_disk(self, file: TextFile) -> bool:
        """Tell whether the file's bytes are the text we search: not in another encoding, a notebook or unsaved."""
        is_same_text = file.encoding == "utf-8" and not file.path.endswith(NOTEBOOK_SUFFIX)
        return is_same_text and self._inner.is_as_on_disk(file.os_path)


def scanner_of(files: FileSystemAdapter) -> Re2Scanner | RipgrepScanner:
    """Return the scanner of a segment: with ripgrep when there is one on PATH."""
    inner = Re2Scanner(files)
    program = shutil.which("rg")
    # A relative hit comes from a relative PATH entry, and that may be the segment: nothing in there is ever run.
    if program is None or not os.path.isabs(program):
        return inner
    return RipgrepScanner(program, files.root, inner)


def compiled(pattern: TextPattern) -> re2._Regexp:
    """Return RE2's program for a pattern.

    Raises: UsageError when it would be too large.
    """
    options = re2.Options()
    options.never_nl = True
    options.log_errors = False
    options.max_mem = _ENGINE_BYTES_MAX
    try:
        return re2.compile(pattern.exact.encode("utf-8"), options)
    except re2.error as error:
        reason = error.args[0]
        told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise UsageError(
            f"the pattern is too much for the engine ({told}); use smaller numbers in its repeats"
        ) from None


def line_matches(expression: re2._Regexp, utf8: bytes) -> Iterator[LineMatch]:
    """Yield the first match of every matching line of a text, in order.

    A line ends with LF or CRLF; what follows the last line end is a line when it is not empty.
    """
    if b"\r\n" in utf8:
        utf8 = utf8.replace(b"\r\n", b"\n")  # so that $ stands before the CR; lines and columns stay
    has_last_end = utf8.endswith(b"\n")
    line, counted, at = 1, 0, 0
    while at < len(utf8):
        match = expression.search(utf8, at)
        if match is None or (has_last_end and match.start() == len(utf8)):
            return
        start, stop = match.span()
        line += utf8.count(b"\n", counted, start)
        counted = start
        first = utf8.rfind(b"\n", 0, start) + 1
        last = utf8.find(b"\n", stop)
        last = len(utf8) if last < 0 else last
        yield _line_match(utf8, line, (first, last), (start, stop))
        at = last + 1


def _line_match(utf8: bytes, line: int, span: tuple[int, int], match: tuple[int, int]) -> LineMatch:
    (first, last), (start, stop) = span, match
    column = 1 + start - first - _continuations(utf8[first:start])
    # Of a long line only what stands near the match is decoded: a line can be as long as a file.
    near_first = max(first, start - _LINE_BYTES_NEAR)
    near_last = min(last, min(stop, start + _LINE_BYTES_NEAR) + _LINE_BYTES_NEAR)
    before = utf8[near_first:start].decode("utf-8", "ignore")
    within = utf8[start : min(stop, near_last)].decode("utf-8", "ignore")
    after = utf8[min(stop, near_last) : near_last].decode("utf-8", "ignore")
    text, shown_start, shown_end = cut_around(before + within + after, len(before), len(before) + len(within))
    return LineMatch(line, column, text, shown_start, shown_end)


def _continuations(utf8: bytes) -> int:
    return len(utf8) - len(utf8.translate(None, _CONTINUATION))


def _batches(files: Sequence[TextFile]) -> Iterator[Sequence[TextFile]]:
    """Cut a list into runs whose names fit a command line."""
    first = size_bytes = 0
    for at, file in enumerate(files):
        size_bytes += len(file.os_path) + 16  # the pointer, the NUL and "./"
        if size_bytes > BATCH_BYTES_MAX and at > first:
            yield files[first:at]
            first, size_bytes = at, len(file.os_path) + 16
    if first < len(files):
        yield files[first:]
