"""Secrets that their place tells: within URLs, headers, lines of password files, and command lines."""

from __future__ import annotations

import re

from .secret_hints import PROGRAMS, RUN_LENGTH
from .secret_text import (
    PLACEHOLDER_IN_KEY,
    Span,
    has_mixture,
    is_hash,
    is_literal_password,
    is_seen,
    looks_like_value,
    looks_random,
    pattern,
    small,
)

_URL = pattern(
    r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{0,30}://(?P<user>[^\s/?#:@\"'<>]{0,300}):(?P<password>[^\s\"'<>`]{1,500})@(?=[\w.\[%-])"
)
_ESCAPE = pattern(r"%[0-9A-Fa-f]{2}")
_PORT = pattern(r"\d{1,5}(?:[/?#]|$)")
_HEADER = pattern(
    r"""(?:authorization|x-api-key|x-auth-token|cookie)(?:\\?["'])?\s{0,4}[:=]\s{0,4}(?:\\?["'])?
    (?:(?:basic|bearer|token|digest|negotiate|apikey|bot|aws4-hmac-sha256)[ ])?(?P<value>[^\s"'`]+)
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_HEADERS = ("authorization", "x-api-key", "x-auth-token", "cookie")
_SCHEME = pattern(r"(?<![a-z])(?:(?P<basic>basic)|bearer)[ ](?P<value>[\w+/=.~-]{8,})", re.ASCII | re.IGNORECASE)
_BASE64 = pattern(r"[A-Za-z0-9+/]{8,}={0,2}\Z")
_NETRC = pattern(r"\blogin\s+\S*\w\S*\s+password[ \t]+(?P<value>\S+)")
_PARAMETER = pattern(
    r"[?&](?:sig|signature|x-amz-signature|x-amz-security-token|x-goog-signature|code)=(?P<value>[^\s&\"'#]+)",
    re.IGNORECASE,
)
_CURL_USER = pattern(
    r"(?:(?<= )-[uU] |(?<![A-Za-z0-9_-])--(?:proxy-)?user[ =])(?:\\?[\"'])?[\w.@-]+:(?P<value>[^\s\"']+)"
)
_ARGUMENT = r"""(?:(?P<quote>\\?["'])(?P<quoted>(?:(?!(?P=quote))[^\n]){1,400})|(?P<bare>[^\s"'`|;&<>\\]+))"""
_PROGRAMS = tuple(program.decode() for program in PROGRAMS)
_PROGRAM_WITH_P = pattern(
    rf"""(?<![\w-])(?:{"|".join(_PROGRAMS)})[\w-]*(?:\.exe)?(?=[\s"'])
    (?:\\\n|[^\n|;&]){{0,300}}?(?<=[ ])
    (?:(?P<outer>["'])-p(?P<within>(?:(?!(?P=outer))[^\n]){{1,400}})|-p{_ARGUMENT})""",
    re.VERBOSE,
)
_SSHPASS = pattern(
    rf"""(?<![\w-])sshpass(?:\.exe)?["']?(?:,?\s+["']?-[vVh]["']?){{0,3}},?\s+["']?-p(?:["']?,?\s+)?{_ARGUMENT}""",
    re.VERBOSE,
)
_BETWEEN_WORDS = r"""["']?,?\s+["']?"""
_LOGIN = pattern(
    rf"""(?<![\w-])(?:(?:docker|podman|nerdctl|buildah|skopeo|oras|helm{_BETWEEN_WORDS}registry|az|oc)(?:\.exe)?
    {_BETWEEN_WORDS}login(?=[\s"'])(?:\\\n|[^\n|;&]){{0,300}}?(?<=[\s"'])-p
    |redis-cli(?:\.exe)?(?=[\s"'])(?:\\\n|[^\n|;&]){{0,300}}?(?<=[\s"'])-a)["']?,?\s+(?!["']?-){_ARGUMENT}""",
    re.VERBOSE,
)
_PGPASS_PORT = pattern(r":(?:\*|\d{4,5}):", re.ASCII)
_PGPASS = pattern(
    r"""(?<![\w./*-])(?![0-9]+:)(?:\[[0-9A-Fa-f:.]+\]|(?:\\[:\\]|[\w./*-])+):(?:\*|[0-9]{4,5})
    (?!:\d+:)(?::(?:\\[:\\]|[^\s:\\"'`])+){2}:(?P<value>[^\s"'`]+)""",
    re.VERBOSE,
)
_ADDRESS = pattern(r"[0-9A-Fa-f:.]+(?:[\]/%].*)?")


def in_urls(text: str, *, is_strict: bool) -> list[Span]:
    """Return the passwords of URLs and, with `is_strict`, what their parameters sign with."""
    found = [Span(*match.span("value"), "url") for match in _PARAMETER.finditer(text)] if is_strict else []
    if "://" not in text or "@" not in text:
        return found
    for match in _URL.finditer(text):
        password = match["password"]
        if _PORT.match(password) is not None and "@" not in password.partition("/")[0]:
            continue
        if is_strict or is_literal_password(_ESCAPE.sub("_", password)):
            found.append(Span(*match.span("password"), "url"))
            if is_strict and not match["user"].isalpha() and len(match["user"]) >= RUN_LENGTH:
                found.append(Span(*match.span("user"), "url"))
    return found


def in_headers(text: str, *, is_strict: bool) -> list[Span]:
    """Return what HTTP headers and the lines of `.netrc` files hold."""
    found = []
    lower = small(text)
    for match in _HEADER.finditer(text) if any(name in lower for name in _HEADERS) else ():
        value = match["value"]
        # What `secret_hints` cannot see behind a colon is left: it would be two letters or a name.
        if is_strict:
            is_one = "=" in text or is_seen(value) or "basic " in match.group().lower()
        else:
            is_literal = len(value) >= 12 and not any(char in value for char in "()[]{}$<>")
            is_one = is_literal and (is_hash(value) or looks_random(value)) and looks_like_value(value)
        if is_one:
            found.append(Span(*match.span("value"), "credential"))
    for match in _SCHEME.finditer(text) if "basic " in lower or "bearer " in lower else ():
        value = match["value"]
        if match["basic"] is None:
            is_one = is_seen(value) if is_strict else looks_random(value)
        else:
            is_one = _BASE64.match(value) is not None and has_mixture(value) and (is_strict or looks_random(value))
        if is_one and (is_strict or PLACEHOLDER_IN_KEY.search(value) is None):
            found.append(Span(*match.span("value"), "credential"))
    if "login" in text:
        found += [
            Span(*match.span("value"), "credential")
            for match in _NETRC.finditer(text)
            if is_strict or is_literal_password(match["value"])
        ]
    return found


def in_command_lines(text: str, *, is_strict: bool) -> list[Span]:
    """Return the passwords that programs are handed as arguments."""
    found = []
    if is_strict and any(option in text for option in (" -u ", " -U ", "-user")):
        found += [match.span("value") for match in _CURL_USER.finditer(text)]
    for looks, names in ((_PROGRAM_WITH_P, _PROGRAMS), (_SSHPASS, ("sshpass",))) if "-p" in text else ():
        if any(name in text for name in names):
            found += [match.span(match.lastgroup or 0) for match in looks.finditer(text)]
    if ("-p" in text and "login" in text) or ("-a" in text and "redis-cli" in text):
        found += [match.span(match.lastgroup or 0) for match in _LOGIN.finditer(text)]
    return [Span(start, end, "credential") for start, end in found if is_strict or is_literal_password(text[start:end])]


def in_password_files(text: str, *, is_strict: bool) -> list[Span]:
    """Return the last fields of lines of `.pgpass`: `host:port:database:user:password`."""
    if _PGPASS_PORT.search(text) is None:
        return []
    return [
        Span(*match.span("value"), "credential")
        for match in _PGPASS.finditer(text)
        if _ADDRESS.fullmatch(match.group()) is None
        and (is_strict or (is_literal_password(match["value"]) and ":" not in match["value"]))
    ]
