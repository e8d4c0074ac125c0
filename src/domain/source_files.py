"""What a file of the segment is, decided on its name and its bytes alone.

Owns the values the file system side hands out, display paths, names of secrets files, decoding, and the kinds that
are skipped or damped (binary, minified, generated). Which language a file is in is `infrastructure.languages`;
opening, walking and checking where a path leads is `infrastructure.file_system`.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TypeAlias

FileStat: TypeAlias = tuple[bytes, int, int]
"""(os_path, size_bytes, mtime_ns). A plain tuple: thousands are compared on every search."""

OsPath: TypeAlias = bytes
"""A path relative to the segment as the operating system knows it, `/` between components, b"" for the segment."""

IGNORE_FILE_NAMES = (b".gitignore", b".ignore", b".ctxignore")
"""Later ones win: what is written for ctx beats what is written for every search tool, and that beats git's."""

NEVER_WALKED = (".git", ".hg", ".svn", "_ctx/")
"""Gitignore patterns of what is no source whoever asks; `.git` is a file in a linked worktree."""

JUNK_DIRECTORIES = (
    "node_modules",
    "__pycache__",
    ".venv",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".eggs",
)
"""Directories that hold nothing a person wrote, left out also where no ignore file says so."""

VENV_NAMES = (b"venv", b"env", b".env", b"virtualenv")
"""Virtual environments when they hold `pyvenv.cfg`, honest directories otherwise."""

NOTEBOOK = "notebook"
"""What stands for the language of a Jupyter notebook: its cells may be in any."""
NOTEBOOK_SUFFIX = ".ipynb"

MINIFIED_BYTES_MIN = 20_000
MINIFIED_LINE_BYTES_MEAN = 400
MINIFIED_LINE_BYTES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Walk:
    """Everything a walk of the segment met.

    `directories` is what a probe has to watch with its mtime_ns: every directory visited (b"" is the segment), virtual
    environments that were left out, then the rule files that are not among `files`, such as `.git/info/exclude`.
    `repositories` are the directories that hold a `.git` (with `../` for the one around the segment), `latest_ns` is
    the latest time that any directory's own entry changed. `listed` is None when all of the tree was; else the
    directories that were, and `skipped` tells only of these.
    """

    files: tuple[FileStat, ...]
    directories: tuple[tuple[OsPath, int], ...]
    skipped: tuple[tuple[OsPath, str], ...]
    repositories: tuple[OsPath, ...] = ()
    latest_ns: int = 0
    listed: frozenset[OsPath] | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What moved since a walk; a touched directory may have gained, lost or come to ignore entries: walk again.

    `added` is what no directory shows: unsaved texts without a file.
    `rules_changed` says that an ignore file did, so that what is in untouched directories may count differently, too.
    """

    changed: tuple[OsPath, ...]
    removed: tuple[OsPath, ...]
    touched_directories: tuple[OsPath, ...]
    rules_changed: bool = False
    added: tuple[FileStat, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing moved."""
        return not (self.changed or self.removed or self.touched_directories or self.added)


@dataclass(frozen=True, slots=True)
class SourceText:
    """One file as it is indexed.

    `text` keeps its line ends and lost its byte order mark; `utf8` is that text for parsers; `content_sha` is 32 hex
    of the SHA-256 of the bytes on disk; `size_bytes` and `mtime_ns` are those a probe will compare with.
    """

    text: str
    encoding: str
    content_sha: str
    size_bytes: int
    mtime_ns: int
    generated: bool
    utf8: bytes
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not indexed, and why in one phrase."""

    os_path: OsPath
    reason: str


@dataclass(frozen=True, slots=True)
class FileView:
    """What was handed on of one file: `bytes` of UTF-8 out of `file_bytes` on disk."""

    text: str
    bytes: int
    file_bytes: int
    encoding: str
    content_sha: str


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A file's text, the codec it was read with, and the text as UTF-8.

    A notebook's text is its cells (see `notebooks`); `flaw` says why that of a broken one is as it stands in the file.
    """

    text: str
    encoding: str
    utf8: bytes
    flaw: str = ""


# --- display paths ---------------------------------------------------------------------------------------------------

_NAMED_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
# Line and paragraph separators break lines as a newline does; the bidirectional controls reorder what a person reads.
_UNSEEN = [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_ESCAPES = {
    code: _NAMED_ESCAPES.get(chr(code), f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}") for code in _UNSEEN
}
_ESCAPE = re.compile(rb"\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})")
_UNESCAPES = {escape.encode("ascii"): chr(code).encode("utf-8") for code, escape in _ESCAPES.items()} | {
    f"\\x{byte:02x}".encode("ascii"): bytes([byte]) for byte in range(0x80, 0x100)
}


def display_path(os_path: OsPath) -> str:
    r"""Return the path as people and JSON see it: Unicode without surrogates, one line, no control characters.

    Bytes that are not UTF-8 become `\xNN`, control characters `\n`, `\t`, `\r`, `\xNN` or (from U+0080 on) `\uNNNN`,
    so a control character and a stray byte stay apart. Everything else, a backslash too, is untouched.
    """
    try:
        shown = os_path.decode("utf-8")
    except UnicodeDecodeError:
        shown = os_path.decode("utf-8", "backslashreplace")
    return shown if shown.isprintable() else shown.translate(_ESCAPES)


def os_path_of(shown: str) -> OsPath:
    r"""Return the path that `display_path` shows like this, provided no name holds a literal backslash escape.

    Raises: UnicodeEncodeError for a surrogate that stands for no byte.
    """
    raw = shown.encode("utf-8", "surrogateescape")
    # What display_path would not have written is a name that looks like an escape, and stays.
    return _ESCAPE.sub(lambda match: _UNESCAPES.get(match[0], match[0]), raw) if b"\\" in raw else raw


# --- secrets files ---------------------------------------------------------------------------------------------------

_SECRETS_NAME = re.compile(
    rb"""\.env(?:[._-].*)? | \.envrc | .+\.env
    | .*\.(?:pem|key|p8|p12|pfx|pkcs12|kdbx?|jks|jceks|bks|keystore|ppk|ovpn|agekey)
    | id_(?:rsa|dsa|ecdsa|ed25519).* | .+_(?:rsa|dsa|ecdsa|ed25519)
    | (?:[._]netrc | \.npmrc | \.pypirc | \.git-credentials | \.htpasswd | \.pgpass | pgpass\.conf | \.my(?:login)?\.cnf
        | \.authinfo)(?:~|[._-](?:bak|backup|old|orig|save|swp|\d{1,8}))?
    | \.docker(?:cfg|configjson) | \.vault-token | \.boto | \.s3cfg | \.terraformrc | credentials\.tfrc\.json
    | .*\.tfstate(?:\.backup|\.\d+\.backup)? | .*\.tfvars(?:\.json)? | (?:.*[._-])?kubeconfig(?:\.ya?ml)?
    | (?:.*[._-])?credentials\.json | client_secrets?(?:[._-].*)?\.json | .*firebase-adminsdk.*\.json
    | (?:.*[._-])?service[_-]?account(?:[._-].*)?\.json
    """,
    re.VERBOSE | re.DOTALL,
)
_SECRETS_PLACE = re.compile(
    rb"""(?:.*/)?(?:\.aws/credentials | \.git/config | \.docker/config\.json | \.kube/config | \.gem/credentials
    | \.cargo/credentials(?:\.toml)? | \.streamlit/secrets\.toml | \.config/gh/hosts\.yml | \.gnupg/.*
    | \.config/gcloud/.* | \.azure/.*\.json | sops/age/keys\.txt)""",
    re.VERBOSE | re.DOTALL,
)
_PATTERN_WORDS = frozenset({b"example", b"sample", b"template", b"dist"})
_PUBLIC_WORDS = frozenset({b"pub", b"public", b"pubkey", b"publickey"})
_HOLDS_SETTINGS = re.compile(rb"\.env.*|.*\.(?:env|tfvars|tfvars\.json)", re.DOTALL)


def is_secrets_file(os_path: OsPath) -> bool:
    """Tell whether the name says that the file holds keys or passwords, whatever the case of its letters.

    Public keys (`*.pub`, `public.pem`) and patterns to copy (`.env.example`, `example.tfvars`) hold none. Sources that
    are called after what they are about (`secrets.py`, `key.py`, `test_credentials.py`) are sources.
    """
    path = os_path.lower()
    name = path[path.rfind(b"/") + 1 :]
    if _SECRETS_NAME.fullmatch(name) is None:
        is_place = b"." in path or b"sops/" in path
        return is_place and _SECRETS_PLACE.fullmatch(path) is not None
    words = re.split(rb"[._-]", name)
    if _HOLDS_SETTINGS.fullmatch(name) is not None:
        return _PATTERN_WORDS.isdisjoint(words)
    return _PUBLIC_WORDS.isdisjoint(words)


# --- decoding --------------------------------------------------------------------------------------------------------

# UTF-32 before UTF-16: the little-endian mark of the one begins with that of the other.
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PYTHON_SUFFIXES = (b".py", b".pyi", b".pyw")
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK_OR_COMMENT = re.compile(rb"^[ \t\f]*(?:#.*)?$")
_ASCII = bytes(range(0x20, 0x7F))
# They leave most of ASCII alone and rewrite the rest of the text, or take quadratic time. Python accepts such a line;
# nobody searches for what it yields.
_REWRITING_CODECS = frozenset({"unicode-escape", "raw-unicode-escape", "idna", "punycode"})
_CONTROLS = bytes({*range(0x20)} - set(b"\b\t\n\v\f\r\x1b"))
_BINARY_SAMPLE_BYTES = 8_192
_BINARY_CONTROLS_PER_1000 = 20


def decode_source(data: bytes, os_path: OsPath) -> DecodedText | None:
    """Return the text of a file, or None when it is binary.

    In this order: a byte order mark (UTF-8, -16, -32; dropped from the text), the coding line of PEP 263 in Python
    files, strict UTF-8, else `latin-1`, which maps each byte to one character and so never fails. Binary is what
    holds NUL, a UTF-16/32 mark before something else, or bytes that are neither UTF-8 nor free of control codes.
    Line ends stay as they are.
    """
    decoded = _decoded_by_marks(data, os_path)
    if decoded is None or not os_path.endswith(NOTEBOOK_SUFFIX.encode("ascii")):
        return decoded
    from .notebooks import NotebookError, notebook_view  # late: no search gets here

    try:
        view = notebook_view(decoded.text)
    except NotebookError as error:
        return DecodedText(decoded.text, decoded.encoding, decoded.utf8, f"not a notebook: {error}; indexed as text")
    # JSON may spell half of a surrogate pair, which is no text.
    utf8 = view.encode("utf-8", "replace")
    return DecodedText(utf8.decode("utf-8"), decoded.encoding, utf8)


def _decoded_by_marks(data: bytes, os_path: OsPath) -> DecodedText | None:
    for mark, encoding in _WIDE_MARKS:
        if data.startswith(mark):
            wide = _decoded(data[len(mark) :], encoding)
            return None if wide is None or "\0" in wide.text else wide
    if b"\0" in data:
        return None
    encoding = "utf-8"
    if data.startswith(codecs.BOM_UTF8):
        data, encoding = data[len(codecs.BOM_UTF8) :], "utf-8-sig"
    elif os_path.endswith(_PYTHON_SUFFIXES) and (declared := _declared_encoding(data)) is not None:
        by_declaration = _decoded(data, declared)
        if by_declaration is not None:
            return by_declaration
    try:
        return DecodedText(data.decode("utf-8"), encoding, data)
    except UnicodeDecodeError:
        return None if _has_many_controls(data) else _decoded(data, "latin-1")


def _decoded(data: bytes, encoding: str) -> DecodedText | None:
    try:
        text = data.decode(encoding)
        return DecodedText(text, encoding, text.encode("utf-8"))
    except (UnicodeError, LookupError):
        return None


def _declared_encoding(data: bytes) -> str | None:
    """Return the codec of a PEP 263 line, None when there is none that is a superset of ASCII other than UTF-8."""
    for line in data[:1_000].splitlines()[:2]:
        declared = _CODING.match(line)
        if declared is not None:
            return _ascii_superset(declared[1].decode("ascii", "replace"))
        if _BLANK_OR_COMMENT.match(line) is None:
            return None
    return None


def _ascii_superset(name: str) -> str | None:
    try:
        codec = codecs.lookup(name).name
        if codec in {"utf-8", "utf-8-sig"} or codec in _REWRITING_CODECS:
            return None
        return codec if _ASCII.decode(codec) == _ASCII.decode("ascii") else None
    except (LookupError, UnicodeError):
        return None


def _has_many_controls(data: bytes) -> bool:
    sample = data[:_BINARY_SAMPLE_BYTES]
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    return controls * 1_000 > len(sample) * _BINARY_CONTROLS_PER_1000


# --- minified and generated ------------------------------------------------------------------------------------------

_PROSE = re.compile(rb".*\.(?:md|mdx|markdown|rst|txt|adoc|asciidoc|org|tex)|[^.]*", re.IGNORECASE | re.DOTALL)
_PROSE_BYTES_PER_BLANK_MAX = 25
_GENERATED_NAME = re.compile(
    rb""".*\.min\.[^.]+ | .*\.(?:js|css)\.map | .*_pb2(?:_grpc)?\.pyi? | .*\.pb\.(?:go|cc|h) | .*\.g\.dart
    | .*\.designer\.cs | .*\.lock | .*\.lockb | package-lock\.json | npm-shrinkwrap\.json | pnpm-lock\.ya?ml
    | go\.sum | packages\.lock\.json | gradle\.lockfile
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_GENERATED_HEAD_CHARS = 4_000
_GENERATED_HEAD_LINES = 20
_GENERATED_MARK = re.compile(r"@generated\b")


def is_minified(os_path: OsPath, utf8: bytes) -> bool:
    """Tell whether the lines are too long for a person: more than 20 kB with a mean over 400 bytes, or one over 100 kB.

    Prose is exempt (a paragraph a line): a name of a text format, or without a suffix, and a blank in every 25 bytes.
    """
    if len(utf8) <= MINIFIED_BYTES_MIN:
        return False
    # Whichever line end the file uses, CRLF included, the larger count is the number of its lines.
    lines = 1 + max(utf8.count(b"\n"), utf8.count(b"\r"))
    if len(utf8) <= MINIFIED_LINE_BYTES_MEAN * lines and (
        len(utf8) <= MINIFIED_LINE_BYTES_MAX or max(map(len, utf8.splitlines())) <= MINIFIED_LINE_BYTES_MAX
    ):
        return False
    is_prose_name = _PROSE.fullmatch(_name(os_path)) is not None
    return not (is_prose_name and utf8.count(b" ") * _PROSE_BYTES_PER_BLANK_MAX >= len(utf8))


def is_generated(os_path: OsPath, text: str) -> bool:
    """Tell whether a program wrote the file: by its name (lock files, `_pb2.py`, `*.min.*`) or by what its head says.

    The head is the first 20 lines; it says so with `@generated`, or with "do not edit" and "generated" in any case.
    """
    if _GENERATED_NAME.fullmatch(_name(os_path)) is not None:
        return True
    head = text[:_GENERATED_HEAD_CHARS].lower()
    if "generated" not in head:
        return False
    head = "\n".join(head.split("\n", _GENERATED_HEAD_LINES)[:_GENERATED_HEAD_LINES])
    return _GENERATED_MARK.search(head) is not None or ("generated" in head and "do not edit" in head)


def _name(os_path: OsPath) -> bytes:
    return os_path[os_path.rfind(b"/") + 1 :]
