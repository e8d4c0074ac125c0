"""Whether a text is worth looking for secrets in: a look at its bytes that every telemetry event pays for.

`may_hold_secret` never says no to what `secret_rules` would find with `is_strict`; a property test holds that. What
finds the secrets, and what the maintained detector adds, is `ctx.infrastructure.secrets`.

The look folds the bytes with `bytes.translate`, which costs less than one test for one word would in Python, so that
few tests do for all words. Pure, and nothing is imported: this is part of every start.
"""

from __future__ import annotations

MARK = "[REDACTED:"
"""What every mark in a secret's place begins with; its kind and a bracket follow."""

ELLIPSIS = "…"
"""What source text that was cut ends with; half a secret may stand before it, which this look does not see."""

RUN_CHARS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+"
RUN_LENGTH = 20
"""As many of these characters in a row are looked at: no known kind of key is shorter."""
BASE64_LENGTH = 40
"""As many, with slashes among them: a line of a key, a secret key of AWS. Shorter runs with slashes are paths."""

AFTER_WORD = b"=:\"' _-])}>`\\,;\t\r\n\x0b\x0c"
"""What may directly follow a word that announces a secret where no `=` stands behind it."""

# One needle of four classes of letters finds all of them: key-, token-, pwd-, passwd- and basic- by their last three
# letters and what follows, secret by "secr", password by "swor". A second one finds pass, passphrase and passcode.
# Other words of these classes ("used ", "open ") cost a second look.
_CLASSES = (b"ksp", b"ewi", b"yncdo", AFTER_WORD + b"r", b"0123456789")
_WORD = "0123"
_PHRASE = "0.00"
_PORT = "44443"
"""The last four digits of a number and what follows it: in a line of `.pgpass` a colon, in JSON never one."""
_PORT_DIGITS = len(_PORT) - 1
_FIELD_COLONS_MIN = 4


def _fold(*classes: tuple[bytes, bytes]) -> bytes:
    table = bytearray(b"." * 256)
    for members, stand_in in classes:
        for byte in members + members.upper():
            table[byte] = stand_in[0]
    return bytes(table)


_WORDS = _fold(*((members, b"%d" % number) for number, members in enumerate(_CLASSES)))
_RUNS = _fold((RUN_CHARS, b"x"), (b"/", b"/"))
_BASE64 = _fold((RUN_CHARS + b"/", b"x"))
_RUN = "x" * RUN_LENGTH
_BASE64_RUN = "x" * BASE64_LENGTH
_WORD_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_DASHES_MAX = 8
PROGRAMS = (b"mysql", b"mariadb", b"mycli", b"7z")
"""What takes a password with nothing before it but `-p`."""
# The first bytes of UTF-8 that no character begins with which `disguised_text` reads as another, and those that follow.
_PLAIN_BYTES = bytes(
    byte for byte in range(256) if byte not in {0xC2, 0xCA, 0xCB, 0xCD, 0xE1, 0xE2, 0xEF, *range(0xF0, 0xF5)}
)


def may_hold_secret(encoded: bytes, *, is_plain: bool = False) -> bool:
    """Tell cheaply whether UTF-8 text, or JSON without an escape in it, may hold a secret.

    True may be wrong, False never is. `is_plain` tells that there is nothing in it that hides words.
    """
    # 32 is a blank, 37 "%", 42 "*", 45 "-", 47 "/", 58 ":", 61 "=", 64 "@", 92 a backslash: to look for one byte is
    # nearly free, two or more cost as much as a fold. Text is searched twice as fast as bytes.
    if (
        61 in encoded
        or (64 in encoded and b"://" in encoded)
        or (45 in encoded and 32 in encoded and _may_hold_option(encoded))
    ):
        return True
    words = encoded.translate(_WORDS).decode("ascii")
    if _WORD in words or _PHRASE in words:
        return True
    runs = encoded.translate(_RUNS).decode("ascii")
    if _RUN in runs or (47 in encoded and _BASE64_RUN in runs.replace("/", "x")):
        return True
    if (_PORT in words or 42 in encoded) and _may_hold_fields(encoded, words):
        return True
    return (37 in encoded or 92 in encoded or not encoded.isascii()) and not is_plain and _may_hold_disguised(encoded)


def _may_hold_option(encoded: bytes) -> bool:
    """Tell whether there is `-u name:password`, `-ppassword` or the like, as curl and the clients of MySQL have it."""
    at = encoded.find(45)
    for _ in range(_DASHES_MAX):
        if at <= 0 or encoded[at - 1] not in _WORD_BYTES:
            break
        at = encoded.find(45, at + 1)
    if at < 0:
        return False
    if b" -u " in encoded or b" -U " in encoded or b"--user " in encoded or b"--proxy-user " in encoded:
        return True
    if b"-p" in encoded and (b"login" in encoded or any(program in encoded for program in PROGRAMS)):
        return True
    return b"-a" in encoded and b"redis-cli" in encoded


def _may_hold_disguised(encoded: bytes) -> bool:
    """Tell whether the text may hold a secret when it is read without escapes and characters that hide words."""
    if 37 not in encoded and 92 not in encoded and not encoded.translate(None, _PLAIN_BYTES):
        return False
    from .disguised_text import undisguised

    plain = undisguised(encoded.decode("utf-8", "replace"))
    return plain is not None and may_hold_secret(plain.text.encode("utf-8", "replace"), is_plain=True)


def _may_hold_fields(encoded: bytes, words: str) -> bool:
    """Tell whether there is a word of five fields and a number of four digits or a star among them."""
    at = words.find(_PORT)
    while at >= 0 and encoded[at + _PORT_DIGITS] != 58:
        at = words.find(_PORT, at + _PORT_DIGITS)
    if at < 0 and (42 not in encoded or b":*:" not in encoded):
        return False
    return any(word.count(b":") >= _FIELD_COLONS_MIN for word in encoded.replace(b'"', b" ").split())


def folded_runs(text: bytes, *, with_slashes: bool = False) -> tuple[bytes, bytes]:
    """Return the text with one letter for all that a key may be of, and the run of it that is looked for."""
    if with_slashes:
        return text.translate(_BASE64), _BASE64_RUN.encode("ascii")
    return text.translate(_RUNS), _RUN.encode("ascii")
