"""What the use cases say to people at a command line, said to an agent: options become arguments, commands tools."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate

_COMMAND = re.compile(r"`ctx (search|get|map|resolve|refs)([^`]*)`")
_OPTION = re.compile(r"--(budget|limit|path|lang|kind|mode|focus|latest|regex|literal)\b")
_RENAMED = {"budget": "max_tokens", "regex": "query", "literal": "query", "latest": "latest: true"}
_AS_IT_IS = (
    ("name the segment it is in with --segment", "only files inside it can be read"),
    ("was it moved or deleted? name another with --segment", "was it moved or deleted?"),
    ("; -i looks for upper and lower case alike", "; in a regex, (?i) in front ignores case"),
    ("look for it with ctx search", "look for it with ctx_search"),
    ("e.g. ctx search 'parse config'", "e.g. 'parse config'"),
    ("selector column ", "symbol, column "),
    ("`ctx stats`", "ctx_status"),
    (" (--deadline)", ""),
    (" (--limit, --budget)", ""),
    (" (--limit)", ""),
    (" (--budget)", ""),
)


def for_agents(text: str) -> str:
    """Return a message of the command line with the names that an agent knows, as one line."""
    for said, instead in _AS_IT_IS:
        text = text.replace(said, instead)
    text = _COMMAND.sub(lambda found: f"ctx_{found[1]}{found[2].replace(' --', ', ')}", text)
    text = _OPTION.sub(lambda found: _RENAMED.get(found[1], found[1]), text)
    return " ".join(text.split("\n"))


def ends_of(text: str, size_max: int) -> str:
    """Return a text whole or its two ends.

    Sizes are those of ASCII with escapes for the rest, because the rest costs more tokens a character.
    """
    sizes = [len(ascii(character)) - 2 for character in text]
    if sum(sizes) <= size_max:
        return text
    head = bisect_right(list(accumulate(sizes)), size_max // 2)
    tail = bisect_right(list(accumulate(reversed(sizes))), size_max // 2)
    return f"{text[:head]} … {text[len(text) - tail :]}"
