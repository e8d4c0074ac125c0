"""Turning what an event says into the JSON that may be written: fast when it is plain, safe when it is not.

The fast way encodes first and looks at the encoded bytes: only what may hold a path or a secret, is long, or cannot be
encoded at all is walked and redacted value by value. orjson is used when the program has loaded it, and never loaded
for this.
"""

from __future__ import annotations

import sys

from ..domain.secret_hints import may_hold_secret
from ..domain.telemetry.redaction import TEXT_CHARS_MAX, PathRedactor, may_hold_path, printable, truncated

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LINE_BYTES_MAX = 1 << 20
# The keys every line has take little of it, many warnings more.
_SAID_BYTES_MAX = LINE_BYTES_MAX - (1 << 16)
# A result and the extra fields may each take this much of a line that would otherwise be too long.
_SHARE_BYTES_MAX = LINE_BYTES_MAX // 4
# What their texts are cut to, tried in this order.
_CUTS_CHARS = (4096, 256, TEXT_CHARS_MAX)
_ITEMS_MAX = 64

# Types whose values cannot be too long for an argument; a text's length is looked at, anything else is walked.
_SHORT_TYPES = frozenset({int, bool, float, type(None)})

# What an encoder may raise for a value it cannot write: lone surrogates, odd keys, huge integers, cycles, NaN.
_CANNOT_ENCODE = (TypeError, ValueError, OverflowError, RecursionError)


class EventEncoder:
    """Encodes and redacts for one segment."""

    def __init__(self, redactor: PathRedactor) -> None:
        self.redactor = redactor
        self._dumps: Callable[[Any, None, int], bytes] = _json_dumps
        self._options = 0
        self._has_orjson = False

    def encode(self, said: dict[str, Any], allowed_args: frozenset[str]) -> bytes:
        """Return what an event says, encoded without the braces around it: `"args":{…},"result":{…},"extra":…`.

        `said` starts with args and result; what follows are the extra fields. Arguments outside the allow-list are
        dropped, no absolute path and no secret is left in any text, texts of arguments have at most 120 characters.
        """
        if not self._has_orjson and "orjson" in sys.modules:
            self._use_orjson()
        for name, value in said["args"].items():
            kind = value.__class__
            if name not in allowed_args or (len(value) > TEXT_CHARS_MAX if kind is str else kind not in _SHORT_TYPES):
                return self._encode_carefully(said, allowed_args)
        try:
            encoded = self._dumps(said, None, self._options)
        except _CANNOT_ENCODE:
            return self._encode_carefully(said, allowed_args)
        # 47 is "/", 92 a backslash, 126 "~": without one of them there is no path to look for.
        if (47 in encoded or 92 in encoded or 126 in encoded) and may_hold_path(encoded, self.redactor.root_bytes):
            return self._encode_carefully(said, allowed_args)
        if may_hold_secret(encoded):
            return self._encode_carefully(said, allowed_args)
        return encoded[1:-1] if len(encoded) <= _SAID_BYTES_MAX else self._encode_cut(said)

    def warnings(self, warnings: list[str]) -> list[str]:
        """Return the warnings redacted and then cut."""
        return [truncated(self.safe(str(warning))) for warning in warnings]

    def safe(self, text: str) -> str:
        """Return one redacted text."""
        return printable(self.redactor.text(text))

    def text(self, text: str) -> bytes:
        """Return one redacted text, encoded."""
        return self.dumps(self.safe(text))

    def dumps(self, value: Any) -> bytes:
        """Encode a value that is JSON types only."""
        try:
            return self._dumps(value, None, self._options)
        except _CANNOT_ENCODE:
            return _json_dumps(value, None, 0)  # an integer beyond 64 bits, which orjson refuses

    def _encode_carefully(self, said: dict[str, Any], allowed_args: frozenset[str]) -> bytes:
        args = {name: value for name, value in said["args"].items() if name in allowed_args}
        safe = self.redactor.value(said)
        safe["args"] = self.redactor.value(args, chars_max=TEXT_CHARS_MAX)
        encoded = self.dumps(safe)
        return encoded[1:-1] if len(encoded) <= _SAID_BYTES_MAX else self._encode_cut(safe)

    def _encode_cut(self, said: dict[str, Any]) -> bytes:
        extra = {name: value for name, value in said.items() if name not in {"args", "result"}}
        cut = {"args": self._cut_fields(said["args"]), "result": self._cut_fields(said["result"])}
        return self.dumps({**cut, **self._cut_fields(extra)})[1:-1]

    def _cut_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        if len(self.dumps(fields)) <= _SHARE_BYTES_MAX:
            return fields
        for chars_max in _CUTS_CHARS:
            cut: dict[str, Any] = _cut(fields, chars_max)
            if len(self.dumps(cut)) <= _SHARE_BYTES_MAX:
                return cut
        return {"truncated": True}

    def _use_orjson(self) -> None:
        # Looked for until it is there: a command may load orjson after its first event.
        orjson = sys.modules["orjson"]
        try:
            # Dataclasses and dates would be written with their content; they become their type's name.
            self._options = (
                orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
            )
            self._dumps = orjson.dumps
        except AttributeError:
            return  # another thread is in the middle of importing it
        self._has_orjson = True


def _cut(value: Any, chars_max: int) -> Any:
    if isinstance(value, str):
        return truncated(value, chars_max)
    if isinstance(value, dict):
        return {truncated(name): _cut(value[name], chars_max) for name in list(value)[:_ITEMS_MAX]}
    if isinstance(value, list):
        return [_cut(item, chars_max) for item in value[:_ITEMS_MAX]]
    return value


_encode_plain: Callable[[Any], str] | None = None


def _json_dumps(value: Any, _default: None, _options: int) -> bytes:
    """Encode with the standard library, called as `orjson.dumps` is."""
    global _encode_plain  # noqa: PLW0603 - one encoder per process, made when the first event is
    if _encode_plain is None:
        _encode_plain = _make_json_encoder()
    return _encode_plain(value).encode()


def _make_json_encoder() -> Callable[[Any], str]:
    # Imported here: json and the re it pulls in are 7 ms that a process without an event, or with orjson, never pays.
    from json import JSONEncoder, encoder

    whole = JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
    make = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return whole.encode
    # JSONEncoder makes such an encoder for every call, which costs as much as encoding a small dictionary.
    chunks = make(None, whole.default, getattr(encoder, "encode_basestring"), None, ":", ",", False, False, False)  # noqa: B009 - absent from the stubs
    return lambda value: "".join(chunks(value, 0))
