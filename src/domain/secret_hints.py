"""Whether a text is worth looking for secrets in: a look at its bytes that every telemetry event pays for.

`may_hold_secret` never says no to what `secret_rules` would find with `is_strict`; a property test holds that. What
finds the secrets, and what the maintained detector adds, is `ctx.infrastructure.secrets`.

The look folds the bytes with `bytes.translate`, which costs less than one test for one word would in Python, so that
few tests do for all words. Pure, and nothing is imported: this is part of every start.
"""

from __future__ import annotations

MARK = "[REDACTED:"
"""What every mark in a secret's place begins with; its kind and a bracket follow."""

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
_CLASSES = (b"ksp", b"ewi", b"yncdo", AFTER_WORD + b"r")
_WORD = "0123"
_PHRASE = "0.00"


def _fold(*classes: tuple[bytes, bytes]) -> bytes:
    table = bytearray(b"." * 256)
    for members, stand_in in classes:
        for byte in members + members.upper():
            table[byte] = stand_in[0]
    return bytes(table)


_WORDS = _fold(*((members, b"%d" % number) for number, members in enumerate(_CLASSES)))
_RUNS = _fold((RUN_CHARS, b"x"))
_BASE64 = _fold((RUN_CHARS + b"/", b"x"))
_RUN = "x" * RUN_LENGTH
_BASE64_RUN = "x" * BASE64_LENGTH


def may_hold_secret(encoded: bytes) -> bool:
    """Tell cheaply whether UTF-8 text, or JSON without an escape in it, may hold a secret.

    True may be wrong, False never is.
    """
    # 58 is ":", 61 "=", 64 "@", 47 "/": to look for one byte is nearly free. Text is searched twice as fast as bytes.
    if 61 in encoded or (64 in encoded and b"://" in encoded):
        return True
    if 58 in encoded and (b" -u " in encoded or b"--user " in encoded):  # curl -u name:password
        return True
    words = encoded.translate(_WORDS).decode("ascii")
    if _WORD in words or _PHRASE in words:
        return True
    if _RUN in encoded.translate(_RUNS).decode("ascii"):
        return True
    return 47 in encoded and _BASE64_RUN in encoded.translate(_BASE64).decode("ascii")


def folded_runs(text: bytes, *, with_slashes: bool = False) -> tuple[bytes, bytes]:
    """Return the text with one letter for all that a key may be of, and the run of it that is looked for."""
    if with_slashes:
        return text.translate(_BASE64), _BASE64_RUN.encode("ascii")
    return text.translate(_RUNS), _RUN.encode("ascii")
