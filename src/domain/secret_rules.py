r"""What secrets look like: the second, precise look, by regular expressions of the standard library.

Two ways to look. *Strict* is for what ctx writes down (telemetry, logs): `password=anything` is one, and so is a run of
characters that looks random. *Precise* is for source text that is shown: a secret is what has the form of one, or a
literal that looks like one behind a name that announces one; `password = get_password()`, `token: str = ""` and
`"changeme"` are none. Hashes (hexadecimal digits alone) are secrets only behind such a name.

`spans` finds them; `is_doubtful` tells whether a maintained detector should be asked about what is left. Here are names
that announce a secret, and runs that look random; what has a form of its own or a place that tells is in
`secret_forms`, `secret_blocks` and `secret_places`. Pure.
"""

from __future__ import annotations

import re

from .disguised_text import undisguised
from .secret_blocks import private_keys
from .secret_forms import key_begins, keys_by_form
from .secret_hints import BASE64_LENGTH, ELLIPSIS, MARK, RUN_LENGTH
from .secret_places import in_command_lines, in_headers, in_password_files, in_urls
from .secret_text import Span, has_mixture, is_hash, looks_like_value, looks_random, pattern, regions, small

_MARKED = pattern(r"\[REDACTED:[a-z0-9-]{1,40}\]")

# --- names that announce ---------------------------------------------------------------------------------------------

_ANNOUNCING = ("pass", "pwd", "secret", "token", "key", "auth", "credential", "cookie", "session", "signature", "sig")
_WORD = pattern(
    r"""(?<![a-z])pass(?:w(?:or)?d|phrase|code)?(?=[^a-z]|$) | passw(?:or)?d | passphrase | passcode | pwd
    | secret | token
    | (?:api|access|secret|private|auth|account|encrypt(?:ion)?|sign(?:ing)?|master|client|shared|service|storage|ssh
        |consumer|app|application|admin|license|deploy|webhook|session|subscription|secret_access)[ _.-]?key
    | credentials? | (?<![a-z])auth(?=[=_:]) | (?:session|csrf|sess)[_-]?id
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
"""Matched where one of `_ANNOUNCING` begins, or a little before it."""
_STARTS_BEFORE_MAX = 14
# "=" may stand behind any of them and a tail ("PASSWORD_PROD="), ":" and blanks behind those that `secret_hints` knows.
_BEHIND_EQUALS = pattern(
    r"[\w-]{0,32}[\"'\])]{0,3}[ \t]{0,8}(?::[ \t]*(?P<type>[\w\[\]., |]{1,40}?)[ \t]*)?(?:=>|[:!=]?={1,3})[ \t]{0,8}",
    re.ASCII,
)
_BEHIND_COLON = pattern(r"(?:[_-][\w-]{0,32})?(?:\\?[\"'`\])]){0,3}[ \t]{0,8}:[ \t]{0,8}(?=[^\s/:])", re.ASCII)
_BEHIND_TAG = pattern(r">(?=[^\s<>]+</)")
_BEHIND_PAIR = pattern(
    r"(?:[_-][\w-]{0,32})?(?:\\?[\"'])?(?:(?:\s|\\n){0,40},(?:\s|\\n){0,40}|(?:\s|\\n){1,40})"
    r"(?:\\?[\"'])?value(?:\\?[\"'])?[ \t]{0,8}[:=][ \t]{0,8}",
    re.ASCII | re.IGNORECASE,
)
"""A name that is the value of one key, and the key of its own: `name: DB_PASSWORD, value: ...`, as in manifests."""
_SIGN = pattern(r"[:=]")
_BEHIND_BLANK = pattern(r"(?:[ \t]+is)?[ \t]+", re.ASCII | re.IGNORECASE)
_OPTION = pattern(r"(?:^|[\s\"'\[,(])--?[\w-]{0,24}\Z", re.ASCII)
_VALUE = pattern(
    r"""(?:[furb@$]{0,2})(?P<quote>\\?["'`])(?P<quoted>(?:(?!(?P=quote))[^\n]){1,4000})(?:(?P=quote)|$|(?=\n))
    | (?P<bare>[^\s"'`,;&<>]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VALUE_CHARS_MAX = 5_000
"""More than a quoted value has: without a bound each name that announces is followed through all the others."""
_KNOWN_TO_HINTS = pattern(
    r"password\Z|passwd\Z|pass\Z|passphrase\Z|passcode\Z|pwd\Z|secret\Z|token\Z|key\Z", re.IGNORECASE
)

_NO_VALUE_TAIL = pattern(
    r"""__ | s[_-]\w | [_-]?(?:ur[li]s?|encod\w*|type|name|names|id|ids|path|paths|file|files|field|fields
    |header|headers|prefix|suffix|param
    |params|endpoint|expir\w*|ttl|age|length|len|size|count|min|max|hash\w*|pattern|regex|re|format|label|labels|help
    |text|message|msg|error|errors|title|description|desc|class|model|view|form|widget|validator\w*|reset\w*|policy
    |change\w*|est|kind|scope|scopes|version|usage|limit|budget|index|position|start|end|line|column|env|var|alg
    |algorithm|method|mode|source|provider|manager|store|ring|pair|board|press|down|up|code|codes|word|words|ref|arn)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_VALUE_ENDS = pattern(r"[ \t]*(?:#.*|&&.*|\|\|.*)?\Z|[\"';&]", re.ASCII)


def spans(text: str, *, is_strict: bool) -> list[Span]:
    """Return where the secrets of a text are, in order and apart from each other.

    A text is read twice when escapes, characters without width or look-alikes may hide what it says.
    """
    found = _found(text, is_strict=is_strict)
    plain = undisguised(text)
    if plain is not None:
        found += [
            Span(*plain.place(span.start, span.end), span.kind) for span in _found(plain.text, is_strict=is_strict)
        ]
    return _apart(found)


def _found(text: str, *, is_strict: bool) -> list[Span]:
    found = [*keys_by_form(text, is_strict=is_strict), *private_keys(text, is_strict=is_strict)]
    found += in_urls(text, is_strict=is_strict)
    found += in_headers(text, is_strict=is_strict)
    found += _announced(text, is_strict=is_strict)
    found += in_command_lines(text, is_strict=is_strict)
    found += in_password_files(text, is_strict=is_strict)
    if is_strict:
        found += _random_runs(text)
    elif ELLIPSIS in text:
        found += _cut_keys(text)
    return [span for span in found if not _is_marked(text, span)]


def marked(text: str, found: list[Span]) -> str:
    """Return the text with a mark in place of each secret; every line of one that has several keeps its line end."""
    if not found:
        return text
    parts: list[str] = []
    end = 0
    for span in found:
        mark = f"{MARK}{span.kind}]"
        parts += [text[end : span.start], mark, ("\n" + mark) * text.count("\n", span.start, span.end)]
        end = span.end
    return "".join([*parts, text[end:]])


def is_secret_name(name: str) -> bool:
    """Tell whether a key of an object announces a secret as its value."""
    plain = undisguised(name)
    name = name if plain is None else plain.text
    return any(match.end() == len(name) and _KNOWN_TO_HINTS.search(match.group()) for match in _WORD.finditer(name))


def cut_line_spans(line: str) -> list[Span]:
    """Return what may be a part of a secret in a line that is shown without those around it.

    A line that is nothing but base64 may be of a private key, and a run that ends at an ellipsis half of anything.
    """
    whole = _KEY_LINE.fullmatch(line)
    if whole is not None and has_mixture(whole["key"]):
        return [Span(*whole.span("key"), "base64")]
    return [
        Span(*match.span("run"), "cut")
        for match in _AT_ELLIPSIS.finditer(line)
        if len(match["run"]) >= RUN_LENGTH or looks_random(match["run"])
    ]


_KEY_LINE = pattern(r"[\s\"'`,+]*(?P<key>[A-Za-z0-9+/]{40,100}={0,2})(?:\\n)?[\s\"'`,+\\;]*")
_AT_ELLIPSIS = pattern(r"(?P<run>(?<=\A…)[\w+/=-]{8,}|(?<![\w+/=-])[\w+/=-]{8,}(?=…\Z))", re.ASCII)


def is_doubtful(text: str, *, is_strict: bool) -> bool:
    """Tell whether the text may hold a secret of a form that only a detector knows; what is marked in it does not."""
    left = _MARKED.sub(" ", text)
    if is_strict:
        has_literal = any(char in left for char in "=\"'")
        return (has_literal and _WORD.search(left) is not None) or any(
            has_mixture(match.group())
            for start, end in regions(left)
            for match in _LONG_PIECE.finditer(left, start, end)
        )
    return any(
        looks_random(match["value"])
        for start, end in regions(left)
        for match in _QUOTED_RUN.finditer(left, start - 1, end + 1)
    )


_LONG_PIECE = pattern(r"[A-Za-z0-9]{16,}")
_QUOTED_RUN = pattern(rf"(?P<quote>[\"'])(?P<value>[A-Za-z0-9+_-]{{{RUN_LENGTH},200}})(?P=quote)")


def _announcements(text: str) -> list[int]:
    """Return where words begin that may announce a secret."""
    lower = small(text)
    found = []
    for word in _ANNOUNCING:
        at = lower.find(word)
        while at >= 0:
            found.append(at)
            at = lower.find(word, at + len(word))
    return sorted(found)


def _announced(text: str, *, is_strict: bool) -> list[Span]:
    """Return the values behind names that announce a secret."""
    found = []
    done = 0
    for at in _announcements(text):
        if at < done:
            continue
        if not is_strict and _SIGN.search(text, at, at + 48) is None:
            continue
        word = _WORD.search(text, max(0, at - _STARTS_BEFORE_MAX), at + 24)
        if word is None or not word.start() <= at < word.end():
            continue
        span = _strict_value(text, word) if is_strict else _precise_value(text, word)
        if span is not None:
            found.append(span)
            done = span.end
    return found


def _behind_equals(text: str, at: int, *, is_strict: bool) -> re.Match[str] | None:
    """Return what stands between a name and its value; None where "=" is of the value, as base64 ends with it."""
    behind = _BEHIND_EQUALS.match(text, at)
    if behind is None or behind["type"] is None:
        return behind
    is_part = _VALUE.match(text, behind.end()) is None or (is_strict and any(map(str.isdigit, behind["type"])))
    return None if is_part else behind


def _strict_value(text: str, word: re.Match[str]) -> Span | None:
    behind = _behind_equals(text, word.end(), is_strict=True)
    if behind is None and text[word.start() - 1 : word.start()] == "/":
        return None  # /etc/passwd: it is a path that something is said of
    if behind is None and _KNOWN_TO_HINTS.search(word.group()) is not None:
        behind = (
            _BEHIND_COLON.match(text, word.end())
            or _BEHIND_TAG.match(text, word.end())
            or _BEHIND_PAIR.match(text, word.end())
        )
        if behind is None:
            behind = _BEHIND_BLANK.match(text, word.end())
            is_option = _OPTION.search(text, max(0, word.start() - 32), word.start()) is not None
            if behind is None or not (is_option or "pass" in word.group().lower() or "pwd" in word.group().lower()):
                return None
            value = _VALUE.match(text, behind.end())
            said = (value["quoted"] or value["bare"] or "") if value is not None else ""
            if not is_option and not _may_be_said_password(said):
                return None
    if behind is None:
        return None
    value = _VALUE.match(text, behind.end())
    return Span(*_value_span(value), "credential") if value is not None else None


def _may_be_said_password(said: str) -> bool:
    """Tell whether a word after "password" is one rather than the next word of a sentence."""
    said = said.rstrip(".,:;!?)")
    is_word = all(char.isalpha() or char in "-_'" for char in said)
    return len(said) >= 6 and not is_word and _NUMBERED.match(said) is None


_NUMBERED = pattern(
    r"(?:sha|md|base|utf|v|oauth|argon|bcrypt|pbkdf|http|python|django|rfc|section|step|page|line|test|hash)?[\W_]?\d+\Z",
    re.ASCII | re.IGNORECASE,
)


def _value_span(value: re.Match[str]) -> tuple[int, int]:
    return value.span("quoted") if value["quoted"] is not None else value.span("bare")


def _precise_value(text: str, word: re.Match[str]) -> Span | None:
    if _NO_VALUE_TAIL.match(text, word.end()) is not None or word.group().lower() == "auth":
        return None
    behind = (
        _behind_equals(text, word.end(), is_strict=False)
        or _BEHIND_COLON.match(text, word.end())
        or _BEHIND_PAIR.match(text, word.end())
    )
    value = _VALUE.match(text, behind.end(), behind.end() + _VALUE_CHARS_MAX) if behind is not None else None
    if value is None:
        return None
    start, end = _value_span(value)
    said = text[start:end]
    if value["quoted"] is None:
        line_end = text.find("\n", end)
        if _VALUE_ENDS.match(text, end, line_end if line_end >= 0 else len(text)) is None or len(said) < 8:
            return None
        if (
            any(char in said for char in "()[]{}$<>")
            or said.startswith("*")
            or not (is_hash(said) or looks_random(said))
        ):
            return None
    elif value["quote"] == "`" or " " in said:
        return None
    is_password = "pass" in word.group().lower() or "pwd" in word.group().lower()
    return Span(start, end, "credential") if looks_like_value(said, chars_min=6 if is_password else 8) else None


_WORD_OF_PATH = pattern(r"[A-Z]?[a-z]{2,}|[a-z]+(?:[_-][a-z0-9]+)+")
_BASE64_LINE = pattern(rf"[A-Za-z0-9+/_-]{{{RUN_LENGTH},}}={{0,2}}")


def _random_runs(text: str) -> list[Span]:
    found = []
    places = sorted({*regions(text), *(regions(text, with_slashes=True) if "/" in text else ())})
    for match in (one for start, end in places for one in _BASE64_LINE.finditer(text, start, end)):
        run = match.group()
        if "/" in run and (len(run) < BASE64_LENGTH or any(map(_WORD_OF_PATH.fullmatch, run.split("/")))):
            # A path, mostly; what is between its slashes may be one.
            at = match.start()
            for part in run.split("/"):
                if len(part) >= RUN_LENGTH and looks_random(part):
                    found.append(Span(at, at + len(part), "random"))
                at += len(part) + 1
        elif looks_random(run):
            found.append(Span(*match.span(), "random"))
    return found


_BEFORE_ELLIPSIS = pattern(r"(?<![\w+/=.:$-])[\w+/=.:$-]{8,}(?=…)", re.ASCII)
_LAST_PIECE = pattern(r"[\w+/=-]{8,}\Z", re.ASCII)
_CUT_CHARS_MAX = 400


def _cut_keys(text: str) -> list[Span]:
    """Return what may be the beginning of a key that a signature, a sentence or a line was cut within."""
    found = []
    for match in _BEFORE_ELLIPSIS.finditer(text):
        run = match.group()[-_CUT_CHARS_MAX:]
        start = key_begins(run)
        if start is None:
            piece = _LAST_PIECE.search(run)
            start = piece.start() if piece is not None and looks_random(piece.group()) else None
        if start is not None:
            found.append(Span(match.end() - len(run) + start, match.end(), "cut"))
    return found


def _is_marked(text: str, span: Span) -> bool:
    return span.start >= span.end or text.startswith(MARK, span.start) or text.startswith(MARK[1:], span.start)


def _apart(found: list[Span]) -> list[Span]:
    """Return the spans in order, those that overlap as one, of the kind that is the most telling."""
    apart: list[Span] = []
    for span in sorted(found, key=lambda one: (one.start, -one.end)):
        if apart and span.start < apart[-1].end:
            last = apart[-1]
            kind = span.kind if last.kind in _VAGUE and span.kind not in _VAGUE else last.kind
            apart[-1] = Span(last.start, max(last.end, span.end), kind)
        else:
            apart.append(span)
    return apart


_VAGUE = frozenset({"credential", "random", "url"})
