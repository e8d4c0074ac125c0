"""What must never reach a telemetry line, and what stands in its place.

Secrets go first, because a path may hold one and a part of one may look like a path; what finds them is handed in
(`ctx.infrastructure.secrets`). Absolute paths become relative to the segment in POSIX form, or
`external/<8 hex>-<name>` outside it; values JSON has no type for become their type's name; long texts are cut *after*
redaction, so a cut can never leave half a secret behind. Pure: the segment's place and the home directory are handed
in, too. Nothing here looks at the file system.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable
    from typing import Any

TEXT_CHARS_MAX = 120
_DEPTH_MAX = 16
_PATH_KEYS = frozenset(
    {"file", "files", "focus", "path", "paths", "target_file", "segment", "root", "directory", "cwd", "id", "ids"}
)
# Their children are named after people.
_HOME_PARENTS = frozenset({"/home", "/Users", "/export/home"})

# Bytes after which a slash continues a word (`a/b`, `**/x`, `$HOME/x`) instead of starting an absolute path.
_WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-%@+*$)]}>")


def short_hash(text: str) -> str:
    """Return 8 hex digits of BLAKE2b over the text, undecodable file name bytes included."""
    try:
        # `hashlib` would load OpenSSL, 3 ms of every start; this is the same function without it.
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()


def truncated(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    """Return the text, cut to `chars_max` characters with an ellipsis as the last one."""
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"


def printable(text: str) -> str:
    r"""Return the text with lone surrogates spelled out: `caf\udce9.py` (a Latin-1 file name) becomes `caf\xe9.py`.

    Strict readers refuse a `\udce9` escape, so the byte is shown instead of the surrogate that stood for it.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(_spelled_out(char) for char in text)
    return text


def _spelled_out(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else char


def may_hold_path(encoded: bytes, roots: Iterable[bytes] = ()) -> bool:
    """Tell cheaply whether encoded JSON may hold an absolute path; True may be wrong, False never is.

    This runs on every event: relative paths and queries such as `a/b` must not cost a regular expression.
    """
    if 92 in encoded or 126 in encoded:  # a backslash (Windows, or an escape that may hide anything), a tilde
        return True
    at = encoded.find(47)
    if at >= 0 and b"../" in encoded:  # out of the segment and back in by an absolute path's names
        return True
    while at >= 0:
        if at == 0 or encoded[at - 1] not in _WORD_BYTES:
            return True
        if at > 2 and encoded[at - 2] == 45 and encoded[at - 3] not in _WORD_BYTES:  # -I/usr/include
            return True
        at = encoded.find(47, at + 1)
    return any(root in encoded for root in roots)


def normalised(path: str) -> str:
    """Return an absolute POSIX path without `.`, `..`, or doubled slashes."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)


def _is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root if root == "/" else root + "/")


class PathRedactor:
    """Rewrites paths for one segment.

    `segment_roots` are the absolute paths the segment is known by (as given, and with links resolved), `homes` those of
    the user's home directory. `secrets` marks what is secret in a text, given the key it is the value of, or "".
    """

    def __init__(
        self,
        segment_roots: Iterable[str],
        homes: Iterable[str] = (),
        *,
        secrets: Callable[[str, str], str] | None = None,
    ) -> None:
        self._secrets = secrets or _as_it_is
        segment_roots = tuple(segment_roots)
        if secrets is not None:  # a directory's name may hold one: the path is known with it and without
            segment_roots = (*segment_roots, *(secrets(root, "") for root in segment_roots))
        self.segment_roots = tuple(dict.fromkeys(normalised(root) for root in segment_roots))
        self.homes = tuple(dict.fromkeys(home for home in map(normalised, homes) if home != "/"))
        known = {root for root in (*self.segment_roots, *self.homes) if root != "/"}
        self._known = sorted(known, key=len, reverse=True)
        self.root_bytes = tuple(root.encode("utf-8", "surrogatepass") for root in self._known)
        self._pattern: re.Pattern[str] | None = None

    def path(self, path: str) -> str:
        """Return a whole value that is a path, absolute or relative to the segment, in its safe form."""
        path = self._secrets(path, "")
        if path.startswith("/"):
            return self._placed(normalised(path))
        path = self._without_paths(path)
        if ".." in path:
            root = self.segment_roots[0] if self.segment_roots else "/"
            joined = normalised(f"{root}/{path}")
            return path if _is_inside(joined, root) else self._placed(joined)
        return path

    def text(self, text: str) -> str:
        """Return the text without secrets and with each absolute path replaced, also inside a sentence or a URI."""
        return self._without_paths(self._secrets(text, ""))

    def _without_paths(self, text: str) -> str:
        if "/" not in text and "\\" not in text and "~" not in text:
            return text
        if self._pattern is None:
            self._pattern = _path_pattern(self._known)
        return self._pattern.sub(self._replacement, text)

    def value(self, value: Any, *, chars_max: int | None = None, key: str = "", depth: int = 0) -> Any:  # noqa: PLR0911 - one return per JSON type
        """Return the value as JSON types only, every text in it redacted and, with `chars_max`, cut."""
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            text = self._secrets(str(value), key)
            safe = printable(self.path(text) if key in _PATH_KEYS else self.text(text))
            return safe if chars_max is None else truncated(safe, chars_max)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value) if value - value == 0 else None  # JSON has neither NaN nor infinity
        if depth >= _DEPTH_MAX:
            return type(value).__name__
        if isinstance(value, dict):
            return {
                printable(self.text(str(name))): self.value(item, chars_max=chars_max, key=str(name), depth=depth + 1)
                for name, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.value(item, chars_max=chars_max, key=key, depth=depth + 1) for item in value]
        if hasattr(value, "__fspath__"):
            path = value.__fspath__()
            return printable(self.path(path if isinstance(path, str) else path.decode("utf-8", "surrogateescape")))
        return type(value).__name__

    def segment_name(self) -> str:
        """Return the segment's directory name; `home` when that name would be the user's."""
        root = self.segment_roots[0] if self.segment_roots else "/"
        return printable(self._name_of(root))

    def _placed(self, path: str) -> str:
        for root in self.segment_roots:
            # A segment above the home directory would make relative paths that start with the user's name.
            if _is_inside(path, root) and not self._is_inside_home_below(path, root):
                return path[len(root) :].lstrip("/") or "."
        return f"external/{short_hash(path)}-{self._name_of(path)}"

    def _is_inside_home_below(self, path: str, root: str) -> bool:
        return any(home != root and _is_inside(home, root) and _is_inside(path, home) for home in self.homes)

    def _name_of(self, path: str) -> str:
        parent, _, name = path.rpartition("/")
        if path in self.homes or parent in _HOME_PARENTS:
            return "home"
        return name or "root"

    def _replacement(self, match: re.Match[str]) -> str:
        token = match.group()
        # Punctuation at the end belongs to the sentence.
        path = token.rstrip(".,;:!?)]}")
        tail = token[len(path) :]
        if path[:5].lower() == "file:":
            from ..file_uris import path_of_uri

            return self._placed(normalised(path_of_uri(path).decode("utf-8", "surrogateescape"))) + tail
        if path[:1] == "~":
            user, _, rest = path[1:].partition("/")
            if user == "" and self.homes:
                return self._placed(normalised(f"{self.homes[0]}/{rest}")) + tail
            return f"external/{short_hash(path)}-{rest.rpartition('/')[2] or 'home'}{tail}"
        if path[:1] != "/":  # a drive or a server: C:\x, \\server\share
            parts = path.replace("\\", "/").rstrip("/").split("/")
            name = "home" if len(parts) > 2 and parts[-2].lower() == "users" else parts[-1]
            return f"external/{short_hash(path)}-{name.rstrip(':') or 'root'}{tail}"
        return self._placed(normalised(path)) + tail


def _as_it_is(text: str, _key: str) -> str:
    return text


def _path_pattern(known: list[str]) -> re.Pattern[str]:
    """Return the pattern that finds the start and the extent of every absolute path in a text.

    A path is taken only where a word cannot continue (`a/b`, `https://host/a` and `**/x/y` stay), and one the caller
    does not know needs two components (`GET /users` stays). A home or segment directory of two components or more is
    replaced wherever it stands; one of a single component (`/root`) only where a path can start.
    """
    import re

    mark = r"\[REDACTED:[a-z0-9-]+\]"
    body = rf"(?:{mark}|[^\s\"'`<>|;,:])*"
    starts = r"(?:(?<![\w./~%@+*$)\]}>\\-])|(?<=^-[A-Za-z])|(?<=\s-[A-Za-z]))"
    component = rf"(?:{mark}|[\w.@+~-])(?:{mark}|[^\s\"'`<>|;,:/])*"
    end = r"(?=/|[^\w.-]|\.?$|\.\s)"
    alternatives = [r"\bfile:/+(?:[A-Za-z]:)?" + body]
    for root in known:
        anywhere = root.count("/") > 1
        alternatives.append(f"{'' if anywhere else starts}{re.escape(root)}{end}(?:/{body})?")
    alternatives += [
        rf"{starts}/{component}/+{component}{body}",
        rf"(?<!:){starts}//+{component}/{body}",
        rf"(?<![\w/.~])~[\w.-]*/{body}",
        rf"(?<![A-Za-z0-9])[A-Za-z]:[\\/]+{body}",
        rf"(?<![\w\\])\\\\[\w.$?-]{{2,}}\\{body}",
        r"(?<![\w\\])\\\\[?.]\\(?:[A-Za-z]:)?" + body,
    ]
    users = {root.rpartition("/")[2] for root in known if root.rpartition("/")[0] in _HOME_PARENTS}
    alternatives += [rf"(?<![\w/.~])~{re.escape(user)}(?![\w-])" for user in sorted(users)]
    return re.compile("|".join(alternatives))
