"""Private keys between their BEGIN and END lines: whole, cut, and as sources quote them."""

from __future__ import annotations

from .secret_text import Span, has_mixture, pattern

_KEY_NAME = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?"
_BEGIN = pattern(rf"-----BEGIN {_KEY_NAME}-----")
_END = pattern(rf"-----END {_KEY_NAME}-----")
# What a block holds, and how it is quoted in sources: line ends spelled out, quotes, commas, comment marks.
_BODY = pattern(r"(?:[A-Za-z0-9+/=\s\"'`,;:#*>|()\\-]|\.(?=\d))*")
_BODY_CHARS = pattern(r"[A-Za-z0-9+/]{16,}")
_HEAD_LINE = pattern(r"\s*(?:(?:Version|Comment|Proc-Type|DEK-Info|Hash|Charset|MessageID): [^\n\\]*(?:\\n|\s)*)+")
_LINE_CHARS = pattern(r"[A-Za-z0-9+/=]+")
_BETWEEN_LINES = " \t\r\n\"'`,+;#*"
_LINE_CHARS_MIN, _FIRST_LINE_CHARS_MIN = 16, 12
_LINE_TAIL = pattern(r"[A-Za-z0-9+/]*={0,2}")
_BLOCK_CHARS_MAX = 20_000


def private_keys(text: str, *, is_strict: bool) -> list[Span]:
    """Return where the lines of private keys are; with `is_strict`, whatever follows a BEGIN line to its end."""
    if "PRIVATE KEY" not in text:
        return []
    found = []
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        at = begin.end()
        limit = at + _BLOCK_CHARS_MAX
        if not is_strict and (following := _BEGIN.search(text, at, limit)) is not None:
            limit = following.start()  # a key that is cut; to look beyond it at each of them would take the square
        end = _END.search(text, at, limit)
        stop = end.start() if end is not None else len(text)
        if not is_strict:  # sources speak of keys, too: only what may be one belongs to it
            stop = min(stop, limit)
            head = _HEAD_LINE.match(text, at, stop)
            body = _BODY.match(text, head.end() if head is not None else at, stop)
            stop = body.end() if body is not None else at
            if end is not None and stop >= end.start():
                stop = end.start()
            elif end is None:
                stop = _last_line_of_key(text, at, stop)
            if _BODY_CHARS.search(text, at, stop) is None:
                continue
        if end is not None and stop == end.start():
            stop = end.end()
        found.append(Span(begin.start(), stop, "private-key"))
        at = stop
    before = 0
    for end in _END.finditer(text):
        start = _first_line_of_key(text, max(before, end.start() - _BLOCK_CHARS_MAX), end.start())
        before = end.end()
        if start < end.start():
            found.append(Span(start, end.end(), "private-key"))
    return found


def _first_line_of_key(text: str, lowest: int, stop: int) -> int:
    """Return where the lines of a block begin whose beginning was cut off; `stop` when there are none.

    Walked backwards line by line: an expression for all of them would take exponential time.
    """
    window = text[lowest:stop].replace("\\n", "  ")  # line ends that are spelled out
    start, at = stop, len(window)
    for line in reversed(list(_LINE_CHARS.finditer(window))):
        said = line.group()
        is_last = start == stop
        is_line = len(said) >= _LINE_CHARS_MIN or (len(said) >= _FIRST_LINE_CHARS_MIN and has_mixture(said))
        if window[line.end() : at].strip(_BETWEEN_LINES) or not (is_line or is_last):
            break
        start, at = lowest + line.start(), line.start()
    return start if _BODY_CHARS.search(text, start, stop) is not None else stop


def _last_line_of_key(text: str, start: int, stop: int) -> int:
    """Return where the lines of a block end that was cut: at the last one that may be of a key."""
    last = start
    for match in _BODY_CHARS.finditer(text, start, stop):
        last = match.end()
    tail = _LINE_TAIL.match(text, last, stop)
    return tail.end() if tail is not None else last
