"""Secrets that their place tells: within URLs, headers, lines of password files, and command lines."""

from __future__ import annotations

import re

from .secret_hints import RUN_LENGTH
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
_CURL_USER = pattern(r"(?:(?<= )-u |--user[ =])(?:\\?[\"'])?[\w.@-]+:(?P<value>[^\s\"']+)")


def in_urls(text: str, *, is_strict: bool) -> list[Span]:
    """Return the passwords of URLs and, with `is_strict`, what their parameters sign with."""
    found = [Span(*match.span("value"), "url") for match in _PARAMETER.finditer(text)] if is_strict else []
    if "://" not in text or "@" not in text:
        return found
    for match in _URL.finditer(text):
        password = match["password"]
        if _PORT.match(password) is not None and "@" not in password.partition("/")[0]:
            continue
        if is_strict or is_literal_password(password):
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


def in_command_lines(text: str) -> list[Span]:
    """Return the passwords that programs are handed as arguments."""
    if " -u " not in text and "--user " not in text and "--user=" not in text:
        return []
    return [Span(*match.span("value"), "credential") for match in _CURL_USER.finditer(text)]
