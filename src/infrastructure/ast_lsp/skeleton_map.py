"""SkeletonMapBuilder: from a file's text to its definitions, with Tree-sitter queries.

Owns parsing, its deadline, its cache and its events. The values are `ctx.domain.symbols`; which languages exist
is `ctx.infrastructure.languages`.
"""

from __future__ import annotations

import hashlib
import re
import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Protocol

from ...domain.errors import CtxError
from ...domain.symbols import CONTAINER_KINDS, Definition, ImportStatement, SkeletonMap, Status
from ..languages import extraction_version, grammar_of, query_source, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tree_sitter import Node, Parser, Query, Tree

    from ...domain.ports import TelemetryPort

PARSE_DEADLINE_S = 5.0
"""Longer than any honest file of the size limit takes (2 MiB parse in ~0.3 s); what passes it is named and skipped."""

_SIGNATURE_CHARS_MAX = 240
_DOC_CHARS_MAX = 160
_DIRECT_PARSE_BYTES_MAX = 64 * 1024
"""Below this a parse cannot take long, and handing the buffer over whole is faster than by callback."""

_SPACES = re.compile(r"\s+")
_STRING_PREFIX = re.compile(r"""^[A-Za-z]{0,3}("{3}|'{3}|"|')""")
_IMPORTED = re.compile(r"\w+")
_IMPORT_WORDS = frozenset({"import", "from", "as"})


class ParseDeadlineError(CtxError):
    """One file took longer to parse than the deadline; the message names it."""


class SkeletonCache(Protocol):
    """Keeps skeletons by key (content, grammar and query versions); may forget."""

    def get(self, key: str) -> SkeletonMap | None:
        """Return the skeleton stored under the key, or None."""
        ...

    def put(self, key: str, skeleton: SkeletonMap) -> None:
        """Store a skeleton; failing to is no error."""
        ...


class SkeletonMapBuilder:
    """Builds skeletons and says what it cost: one `ast.cache` and, on a miss, one `ast.parse` event a file."""

    def __init__(
        self,
        telemetry: TelemetryPort | None = None,
        *,
        cache: SkeletonCache | None = None,
        deadline_s: float = PARSE_DEADLINE_S,
        perf_counter_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """Take the collaborators; nothing is imported or parsed yet."""
        self._telemetry = telemetry
        self._cache = cache
        self._deadline_s = deadline_s
        self._perf_counter_ns = perf_counter_ns
        self._engines: dict[str, tuple[Parser, Query]] = {}
        self._latest_sha: dict[str, str] = {}

    def parse_python(self, code: str | bytes, file_path: str) -> SkeletonMap:
        """Return the skeleton of Python source; see `parse`."""
        return self.parse(code, file_path, "python")

    def parse(self, code: str | bytes, file_path: str, language: str) -> SkeletonMap:
        """Return the skeleton of `code`; bytes are UTF-8.

        A file with syntax errors gives what was recovered (`status` partial), one past the deadline or in a
        language without a grammar gives an empty skeleton (`status` failed) with the reason.
        """
        source = code.encode("utf-8", "surrogatepass") if isinstance(code, str) else code
        if row_of(language) is None:
            return _nothing(file_path, language, len(source), f"no grammar for {language}")
        sha = hashlib.sha256(source).hexdigest()[:32]
        key = f"{language}:{extraction_version(language)}:{sha}"
        found = self._cache.get(key) if self._cache is not None else None
        self._tell_cache(file_path, sha, is_hit=found is not None)
        if found is not None:
            return found if found.file_path == file_path else _moved(found, file_path)
        started_ns = self._perf_counter_ns()
        try:
            skeleton = self.extract(source, file_path, language)
        except ParseDeadlineError as error:
            skeleton = _nothing(file_path, language, len(source), str(error))
        self._tell_parse(skeleton, self._perf_counter_ns() - started_ns)
        if self._cache is not None and skeleton.status != "failed":
            self._cache.put(key, skeleton)
        return skeleton

    def extract(self, source: bytes, file_path: str, language: str) -> SkeletonMap:
        """Parse UTF-8 bytes and return their skeleton, without cache and events (bulk indexing counts for itself).

        Raises: ParseDeadlineError naming the file; KeyError for a language without a grammar.
        """
        parser, query = self._engine(language)
        tree = self._parse(parser, source, file_path)
        return _extract(tree, query, source, file_path, language)

    def _engine(self, language: str) -> tuple[Parser, Query]:
        engine = self._engines.get(language)
        if engine is None:
            from tree_sitter import Parser, Query

            grammar = grammar_of(language)
            engine = self._engines[language] = (Parser(grammar), Query(grammar, query_source(language)))
        return engine

    def _parse(self, parser: Parser, source: bytes, file_path: str) -> Tree:
        if len(source) <= _DIRECT_PARSE_BYTES_MAX:
            return parser.parse(source)
        view = memoryview(source)
        deadline_ns = self._perf_counter_ns() + int(self._deadline_s * 1e9)

        def read(offset: int, _point: object) -> memoryview:
            return view[offset : offset + _DIRECT_PARSE_BYTES_MAX]

        def is_late(_offset: int, _has_error: bool) -> bool:
            return self._perf_counter_ns() >= deadline_ns

        try:
            tree = parser.parse(read, progress_callback=is_late)
        except ValueError:
            tree = None  # py-tree-sitter raises a bare ValueError("Parsing failed") when the callback stops it
        if tree is None:
            parser.reset()
            raise ParseDeadlineError(
                f"{file_path}: parsing took longer than {self._deadline_s:g} s; the file is indexed as text"
            )
        return tree

    def _tell_cache(self, file_path: str, sha: str, *, is_hit: bool) -> None:
        previous, self._latest_sha[file_path] = self._latest_sha.get(file_path), sha
        if self._telemetry is not None and self._cache is not None:
            self._telemetry.event(
                "ast.cache", {"file": file_path}, {}, 0, cache_hit=is_hit, prev_sha=(previous or "")[:12] or None
            )

    def _tell_parse(self, skeleton: SkeletonMap, duration_ns: int) -> None:
        if self._telemetry is not None:
            self._telemetry.event(
                "ast.parse",
                {"file": skeleton.file_path},
                {
                    "functions": len(skeleton.functions),
                    "classes": len(skeleton.classes),
                    "status": skeleton.status,
                },
                duration_ns // 1_000_000,
                duration_ns=duration_ns,
                language=skeleton.language,
                **skeleton_size(skeleton),
            )


def skeleton_size(skeleton: SkeletonMap) -> dict[str, Any]:
    """Return `skeleton_bytes` (as printed) and `reduction_ratio` (null for an empty file)."""
    size_bytes = len(skeleton.render().encode("utf-8", "surrogatepass"))
    ratio = round(size_bytes / skeleton.source_bytes, 4) if skeleton.source_bytes else None
    return {"skeleton_bytes": size_bytes, "reduction_ratio": ratio}


def _nothing(file_path: str, language: str, source_bytes: int, reason: str) -> SkeletonMap:
    return SkeletonMap(file_path, language, "failed", (), (), source_bytes, reason)


def _moved(skeleton: SkeletonMap, file_path: str) -> SkeletonMap:
    """Return the skeleton of the same content under another path."""
    return SkeletonMap(
        file_path,
        skeleton.language,
        skeleton.status,
        skeleton.definitions,
        skeleton.imports,
        skeleton.source_bytes,
        skeleton.reason,
    )


def _extract(tree: Tree, query: Query, source: bytes, file_path: str, language: str) -> SkeletonMap:
    from tree_sitter import QueryCursor

    root = tree.root_node
    found: list[tuple[int, int, str, Node, Node, Node | None]] = []
    decorators: list[tuple[int, int, Node]] = []
    docs: dict[int, bytes] = {}
    imports: list[ImportStatement] = []
    for _pattern, captures in QueryCursor(query).matches(root):
        name = captures.get("name")
        if name is not None:
            for label, nodes in captures.items():
                if label.startswith("definition."):
                    node = nodes[0]
                    body = captures.get("body")
                    start, end = node.byte_range
                    found.append((start, -end, label[11:], node, name[0], body[0] if body else None))
        elif "decorator" in captures:
            node = captures["decorator"][0]
            decorators.append((*node.byte_range, node))
        elif "doc" in captures:
            node = captures["doc"][0]
            docs[node.start_byte] = source[node.start_byte : node.end_byte]
        elif "import" in captures:
            imports.append(_import_statement(captures["import"][0], source))
    # Two patterns may find one node (a constant inside a class inside a function): the first one stands.
    found.sort(key=lambda item: (item[0], item[1]))
    decorators.sort(key=lambda item: (item[0], item[1]))
    definitions = _definitions(found, decorators, docs, source)
    status: Status = "partial" if root.has_error else "ok"
    return SkeletonMap(file_path, language, status, definitions, tuple(imports), len(source))


def _definitions(
    found: Sequence[tuple[int, int, str, Node, Node, Node | None]],
    decorators: Sequence[tuple[int, int, Node]],
    docs: dict[int, bytes],
    source: bytes,
) -> tuple[Definition, ...]:
    """Join what the query found into definitions: nesting by byte spans, decorators and docs by position."""
    result: list[Definition] = []
    enclosing: list[tuple[int, int, str, str]] = []  # (end_byte, index, qualname, kind) of what is still open
    doc_starts = sorted(docs)
    decorator_at = 0
    previous_start = -1
    for start_byte, negative_end, found_kind, node, name_node, body in found:
        if start_byte == previous_start:
            continue
        previous_start = start_byte
        end_byte = -negative_end
        own_decorators: list[str] = []
        start_line = node.start_point[0] + 1
        first_byte = start_byte
        while decorator_at < len(decorators) and decorators[decorator_at][0] < start_byte:
            decorator_start, decorator_end, decorator = decorators[decorator_at]
            decorator_at += 1
            if found_kind == "constant":
                continue
            own_decorators.append(_one_line(source[decorator_start:decorator_end], _SIGNATURE_CHARS_MAX))
            if len(own_decorators) == 1:
                start_line = decorator.start_point[0] + 1
                first_byte = decorator_start
        while enclosing and first_byte >= enclosing[-1][0]:
            enclosing.pop()
        parent = enclosing[-1] if enclosing else None
        name = source[name_node.start_byte : name_node.end_byte].decode("utf-8", "replace")
        is_method = found_kind == "function" and parent is not None and parent[3] in CONTAINER_KINDS
        kind = "method" if is_method else found_kind
        qualname = f"{parent[2]}.{name}" if parent is not None else name
        doc = ""
        if body is not None:
            signature = _signature(source, start_byte, body)
            at = bisect_right(doc_starts, body.start_byte - 1)
            # A comment may stand between the colon and the docstring; the block then starts at the docstring all
            # the same, because comments are extras outside it.
            if at < len(doc_starts) and doc_starts[at] == body.start_byte:
                doc = _doc_line(docs[doc_starts[at]])
        else:
            signature = _one_line(source[start_byte:end_byte], 100)
        if found_kind not in ("constant", "type"):
            enclosing.append((end_byte, len(result), qualname, kind))
        result.append(
            Definition(
                kind,
                name,
                qualname,
                signature,
                tuple(own_decorators),
                doc,
                start_line,
                _end_line(node),
                first_byte,
                end_byte,
                name_node.start_point[0] + 1,
                parent[1] if parent is not None else -1,
            )
        )
    return tuple(result)


def _end_line(node: Node) -> int:
    """Return the last line that holds a byte of the node (a node may end at column 0 of the line after it)."""
    row, column = node.end_point
    return max(row + (1 if column else 0), node.start_point[0] + 1)


def _signature(source: bytes, start_byte: int, body: Node) -> str:
    """Return the head of a definition on one line, without the colon and what comments stand after it."""
    raw = source[start_byte : body.start_byte]
    before = body.prev_sibling if b"#" in raw else None
    while before is not None and before.type == "comment":
        before = before.prev_sibling
    if before is not None and before.end_byte > start_byte:
        raw = source[start_byte : before.end_byte]
    text = _one_line(raw, _SIGNATURE_CHARS_MAX).rstrip(" :")
    return text if len(raw) == len(text) + 1 else text.replace("( ", "(").replace(", )", ")").replace(" )", ")")


def _one_line(raw: bytes, chars_max: int) -> str:
    text = _SPACES.sub(" ", raw[: chars_max * 8].decode("utf-8", "replace")).strip()
    return text if len(text) <= chars_max else text[: chars_max - 1].rstrip() + "…"


def _doc_line(raw: bytes) -> str:
    """Return the first line of a docstring's text that is not blank."""
    text = raw[: _DOC_CHARS_MAX * 16].decode("utf-8", "replace")
    match = _STRING_PREFIX.match(text)
    if match is not None:
        text = text[match.end() :].removesuffix(match.group(1))
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped:
            return stripped if len(stripped) <= _DOC_CHARS_MAX else stripped[: _DOC_CHARS_MAX - 1].rstrip() + "…"
    return ""


def _import_statement(node: Node, source: bytes) -> ImportStatement:
    text = _one_line(source[node.start_byte : node.end_byte], 2000)
    return ImportStatement(
        text,
        tuple(dict.fromkeys(word for word in _IMPORTED.findall(text) if word not in _IMPORT_WORDS)),
        node.start_point[0] + 1,
        _end_line(node),
    )
