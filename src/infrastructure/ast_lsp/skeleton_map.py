"""SkeletonMapBuilder: from a file's text to its definitions, with Tree-sitter queries.

Owns parsing, its deadline, its cache and its events. The values are `ctx.domain.symbols`; which languages exist
is `ctx.infrastructure.languages`.
"""

from __future__ import annotations

import hashlib
import re
import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from ...domain.errors import CtxError
from ...domain.symbols import CLASS_KINDS, FUNCTION_KINDS, Definition, ImportStatement, SkeletonMap, Status
from ..languages import extraction_version, grammar_of, parsable, query_of, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tree_sitter import Node, Parser, Query, Tree

    from ...domain.ports import TelemetryPort

PARSE_DEADLINE_S = 5.0
"""Longer than any honest file of the size limit takes (2 MiB parse in ~0.3 s); what passes it is named and skipped."""

_SIGNATURE_CHARS_MAX = 240
_VALUE_CHARS_MAX = 100
_DOC_CHARS_MAX = 160
_DOC_RUN_MAX = 200
"""Lines of `//` or `#` that are read as one comment."""
_DIRECT_PARSE_BYTES_MAX = 4 * 1024
"""Below this a parse cannot take long, whatever the text; 64 KiB of `a<a<a<` keep the Java grammar a minute."""
_READ_BYTES = 16 * 1024

_QUERY_STEPS_MAX = 300_000_000
"""About a second of a query's time, 2 ns to 5 ns a step; what people write has none of these steps."""
_WIDE_NODE = 1_000
"""Children from which on a node is looked at for `_query_steps`; 2 MiB of smaller ones take 1,000,000,000 at most."""

_IMPORT_CHARS_MAX = 2000
_IMPORT_END_CHARS = 200
"""Of a longer import this much of its end is kept, too: ECMAScript says last where the names come from."""

_SPACES = re.compile(r"\s+")
_STRING_PREFIX = re.compile(r"""^[A-Za-z]{0,3}("{3}|'{3}|"|')""")
_IMPORTED = re.compile(r"\w+")
_DEFINITION = "definition."
_BY_PLACE = itemgetter(0, 1, 2)

_NO_SCOPES = frozenset({"constant", "variable", "type", "macro"})
"""Kinds that no other definition lies in."""
_LEFT_OUT_OF_BODIES = frozenset({"function", "method", "constant", "variable"})
"""What is no definition inside a function when it has no body: locals, and calls that look like prototypes."""

_COMMENT_STARTS = (b"#", b"//", b"/*")
_TYPE_ARGUMENTS = re.compile(r"<[^<>]*>")
_NAME_SEPARATOR = re.compile(r"::|[\\.]|^:")
_EMPTY_SCOPES = frozenset({"this", "self", "exports", "prototype"})
_COMMENT_MARKS = re.compile(r"^\s*(?:/\*+!?|//[/!]*|\*+(?!/)|#+!?|--+)?<?")
_NOT_OF_WHAT_FOLLOWS = ("//!", "/*!", "#!")
_DOC_REFERENCE = re.compile(r"""<\w+ (?:cref|name|langword|href)="([^"]*)"\s*/>""")
_DOC_TAG = re.compile(
    r"</?(?:summary|remarks|para|param|typeparam|returns|value|inheritdoc|example|see|c|p|b|i|em|tt|code|pre|strong|br|ul|li)"
    r"\b[^>]*>"
)
_DOC_INLINE = re.compile(r"\{@\w+\s*([^}]*)\}")
_DOC_SUMMARY = re.compile(r"^[@\\](?:brief|summary|description|desc|short)\b\s*")
_DIRECTIVE = re.compile(
    r"(?:eslint|tslint|jshint|jslint|istanbul|prettier|biome|c8|webpack|rubocop|shellcheck|nolint|clang-format|go:|"
    r"lint:|frozen_string_literal|noinspection|phpcs|phpstan|psalm|resharper|sourceMappingURL)\b",
    re.IGNORECASE,
)
_LICENCE = re.compile(r"copyright|licen[cs]ed? under|SPDX-", re.IGNORECASE)


class ParseDeadlineError(CtxError):
    """One file took longer to parse than the deadline, or would take the query too long; the message names it."""


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
        except CtxError as error:
            skeleton = _nothing(file_path, language, len(source), str(error))
        self._tell_parse(skeleton, self._perf_counter_ns() - started_ns)
        if self._cache is not None and skeleton.status != "failed":
            self._cache.put(key, skeleton)
        return skeleton

    def extract(self, source: bytes, file_path: str, language: str) -> SkeletonMap:
        """Parse UTF-8 bytes and return their skeleton, without cache and events (bulk indexing counts for itself).

        Raises: ParseDeadlineError naming the file; CtxError for a grammar that is not installed; KeyError for a
        language without a row.
        """
        parser, query = self._engine(language)
        tree = self._parse(parser, parsable(language, source), file_path)
        if _query_steps(tree.root_node) > _QUERY_STEPS_MAX:
            raise ParseDeadlineError(
                f"{file_path}: thousands of signs in a row would take the parser too long; the file is indexed as text"
            )
        return _extract(tree, query, source, file_path, language)

    def _engine(self, language: str) -> tuple[Parser, Query]:
        engine = self._engines.get(language)
        if engine is None:
            from tree_sitter import Parser

            engine = self._engines[language] = (Parser(grammar_of(language)), query_of(language))
        return engine

    def _parse(self, parser: Parser, source: bytes, file_path: str) -> Tree:
        if len(source) <= _DIRECT_PARSE_BYTES_MAX:
            return parser.parse(source)
        deadline_ns = self._perf_counter_ns() + int(self._deadline_s * 1e9)

        def read(offset: int, _point: object) -> bytes:
            # Bytes, never a view of them: the tree reads through this again for a query's predicates, and there
            # py-tree-sitter takes what comes for bytes unseen (a memoryview ends the process).
            return source[offset : offset + _READ_BYTES]

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


_Found = tuple[int, int, int, str, "Node", "Node", "Node | None", "Sequence[Node] | None"]
"""Start byte, minus end byte, pattern, kind, and the nodes of the whole, its name, its body, and what stands before
the name. In this order an outer definition is before an inner one, and of one span the pattern written first."""


@dataclass(slots=True)
class _Matches:
    """What a query found in one file, before it is joined; in order of place."""

    found: list[_Found] = field(default_factory=list)
    decorators: list[tuple[int, int, Node]] = field(default_factory=list)
    docs: dict[int, bytes] = field(default_factory=dict)
    """Docstrings by start byte."""
    comments: dict[int, Node] = field(default_factory=dict)
    """Comments by their last row."""
    namespaces: list[tuple[int, str]] = field(default_factory=list)
    imports: dict[int, tuple[Node, list[Node]]] = field(default_factory=dict)
    """Imports by start byte, each with the nodes of the names it binds."""


def _extract(tree: Tree, query: Query, source: bytes, file_path: str, language: str) -> SkeletonMap:
    root = tree.root_node
    matches = _matches(root, query, source)
    definitions = _definitions(matches, source)
    row = row_of(language)
    words = frozenset(row.import_words if row is not None else ())
    imports = tuple(_import_statement(node, bound, source, words) for node, bound in matches.imports.values())
    status: Status = "partial" if root.has_error else "ok"
    return SkeletonMap(file_path, language, status, definitions, imports, len(source))


def _query_steps(root: Node) -> int:
    """Return about how many steps a query loses where signs follow each other without end, as in 64 KiB of `(`.

    At each child the cursor looks for a later named sibling: n signs in a row without one are n * n / 2 looks. That is
    counted beforehand, and not timed, because a query cannot be stopped: what py-tree-sitter keeps of a progress
    callback is a dead stack frame (0.26.1 ends the process there). Only what holds a thousand nodes is opened.
    """
    steps = 0
    waiting = [root] if root.descendant_count > _WIDE_NODE else []
    while waiting:
        node = waiting.pop()
        children = node.children
        if len(children) > _WIDE_NODE:
            in_a_row = 0
            for child in children:
                if child.is_named:
                    steps += in_a_row * in_a_row // 2
                    in_a_row = 0
                else:
                    in_a_row += 1
            steps += in_a_row * in_a_row // 2
        waiting += [child for child in children if child.descendant_count > _WIDE_NODE]
    return steps


def _matches(root: Node, query: Query, source: bytes) -> _Matches:
    """Run the query and sort its matches by what they tell."""
    from tree_sitter import QueryCursor

    result = _Matches()
    found, decorators = result.found, result.decorators
    bound: list[Node] = []  # names that a pattern of their own found, in imports and elsewhere
    defined: dict[int, tuple[str, str]] = {}  # by pattern: the capture of the whole, and its kind
    for pattern, captures in QueryCursor(query).matches(root):
        name = captures.get("name")
        if name is not None:
            label, kind = defined.get(pattern) or _defined(captures, pattern, defined)
            node = captures[label][0]
            body = captures.get("body")
            start, end = node.byte_range
            found.append((start, -end, pattern, kind, node, name[0], body[0] if body else None, captures.get("scope")))
        elif "comment" in captures:
            node = captures["comment"][0]
            row, column = node.end_point
            result.comments[row if column else row - 1] = node  # a line comment may hold its line's end
        elif "decorator" in captures:
            node = captures["decorator"][0]
            decorators.append((*node.byte_range, node))
        elif "doc" in captures:
            node = captures["doc"][0]
            result.docs[node.start_byte] = source[node.start_byte : node.end_byte]
        elif "import" in captures:
            node = captures["import"][0]
            result.imports.setdefault(node.start_byte, (node, []))[1].extend(captures.get("bound", ()))
        elif "namespace" in captures:
            node = captures["namespace"][0]
            result.namespaces.append((node.start_byte, ".".join(_name_parts(_text(source, node)))))
        elif "bound" in captures:
            bound.append(captures["bound"][0])
    _bind(bound, result.imports)
    found.sort(key=_BY_PLACE)
    decorators.sort(key=_BY_PLACE)
    return result


def _bind(bound: Sequence[Node], imports: dict[int, tuple[Node, list[Node]]]) -> None:
    """Give names that were found apart to the imports they stand in."""
    if not imports or not bound:
        return
    starts = sorted(imports)
    for node in bound:
        at = bisect_right(starts, node.start_byte) - 1
        if at >= 0 and node.end_byte <= imports[starts[at]][0].end_byte:
            imports[starts[at]][1].append(node)


def _defined(captures: Iterable[str], pattern: int, known: dict[int, tuple[str, str]]) -> tuple[str, str]:
    """Note and return what a pattern defines: the capture of the whole, and its kind."""
    label = next(label for label in captures if label.startswith(_DEFINITION))
    known[pattern] = (label, label.removeprefix(_DEFINITION))
    return known[pattern]


def _definitions(matches: _Matches, source: bytes) -> tuple[Definition, ...]:
    """Join what the query found into definitions: nesting by byte spans, decorators and docs by position."""
    result: list[Definition] = []
    enclosing: list[tuple[int, int, int, str, str]] = []  # (end, start, index, qualname, kind) of what is still open
    docs, comments, decorators = matches.docs, matches.comments, matches.decorators
    imports, namespaces = matches.imports, matches.namespaces
    decorator_at = 0
    named: set[int] = set()
    previous_start, previous_end, previous_name = -1, 0, ""
    for start_byte, negative_end, _pattern, found_kind, node, name_node, body, scopes in matches.found:
        name_start, name_end = name_node.byte_range
        # Several patterns may find one name: a constant in a class in a function, a function and its `export`.
        if name_start in named:
            continue
        named.add(name_start)
        end_byte = -negative_end
        first_byte = head_byte = start_byte
        first_row = own_row = node.start_point[0]
        own_decorators: Sequence[tuple[int, int, Node]] = ()
        if decorator_at < len(decorators) and decorators[decorator_at][0] < name_start:
            reached, decorator_at = decorator_at, bisect_left(decorators, (name_start,), lo=decorator_at)
            own_decorators, head_byte = _attached(decorators[reached:decorator_at], start_byte, name_start, source)
            if own_decorators and own_decorators[0][0] < start_byte:
                first_byte = own_decorators[0][0]
                first_row = own_decorators[0][2].start_point[0]
        # Two names in one declaration (`const a = ..., b = ...`) have one span; neither holds the other.
        while enclosing and (
            first_byte >= enclosing[-1][0] or (end_byte == enclosing[-1][0] and first_byte == enclosing[-1][1])
        ):
            enclosing.pop()
        parent = enclosing[-1] if enclosing else None
        if body is None and _is_left_out(found_kind, parent[4] if parent is not None else "", start_byte in imports):
            continue
        name = source[name_start:name_end].decode("utf-8", "replace")
        scope = ""
        if scopes or not name.isidentifier():
            scope, name = _scoped(name, scopes, source)
        if start_byte == previous_start and end_byte == previous_end and name == previous_name:
            continue  # typedef struct name { } name;
        previous_start, previous_end, previous_name = start_byte, end_byte, name
        is_method = found_kind == "function" and (scope or (parent is not None and parent[4] in CLASS_KINDS))
        kind = "method" if is_method else found_kind
        around = parent[3] if parent is not None else _namespace_at(namespaces, start_byte) if namespaces else ""
        if scope:
            around = f"{around}.{scope}" if around else scope
        qualname = f"{around}.{name}" if around else name
        if kind not in _NO_SCOPES:
            enclosing.append((end_byte, first_byte, len(result), qualname, kind))
        result.append(
            Definition(
                kind,
                name,
                qualname,
                _signature(source, head_byte, node, body, name_start)
                if body is not None
                else _declaration(source, head_byte, node, kind),
                tuple([_one_line(source[at:end], _SIGNATURE_CHARS_MAX) for at, end, _node in own_decorators])
                if own_decorators
                else (),
                _doc_above(comments, (first_row, own_row), source)
                if comments
                # A comment may stand between the colon and the docstring; the block then starts at the docstring all
                # the same, because comments are extras outside it.
                else _doc_line(docs[body.start_byte])
                if body is not None and body.start_byte in docs
                else "",
                first_row + 1,
                own_row + source.count(b"\n", start_byte, end_byte - 1) + 1,  # a node may hold its last line's end
                first_byte,
                end_byte,
                own_row + source.count(b"\n", start_byte, name_start) + 1,
                parent[2] if parent is not None else -1,
                body is not None,
                _column(source, name_start),
            )
        )
    return tuple(result)


def _column(source: bytes, at_byte: int) -> int:
    """Return the place in its line of a character that starts at a byte, from 1."""
    line_start = source.rfind(b"\n", 0, at_byte) + 1
    before = source[line_start:at_byte]
    return (len(before) if before.isascii() else len(before.decode("utf-8", "replace"))) + 1


def _is_left_out(kind: str, parent_kind: str, is_import: bool) -> bool:
    """Tell what a query finds without a body and is no definition.

    Inside a function these are locals and calls that look like prototypes; a constant may be what an import binds.
    """
    return (parent_kind in FUNCTION_KINDS and kind in _LEFT_OUT_OF_BODIES) or (is_import and kind == "constant")


def _scoped(name: str, scopes: Sequence[Node] | None, source: bytes) -> tuple[str, str]:
    """Return what stands before a name, dotted, and the name itself."""
    *above, last = _name_parts(name)
    before = [part for node in scopes or () for part in _name_parts(_text(source, node)) if part not in _EMPTY_SCOPES]
    return ".".join(before + above), last


def _namespace_at(namespaces: Sequence[tuple[int, str]], at: int) -> str:
    """Return the namespace that was declared last before a byte."""
    return next((name for start, name in reversed(namespaces) if start < at), "")


def _attached(
    decorators: Sequence[tuple[int, int, Node]], start_byte: int, name_start: int, source: bytes
) -> tuple[Sequence[tuple[int, int, Node]], int]:
    """Return the decorators that belong to a definition, and where its head starts behind those it contains.

    Some grammars put them before the definition and some into it; in between, only comments may stand. Others in
    reach belong to something that is no definition (an annotated parameter, an attribute on a statement).
    """
    own: list[tuple[int, int, Node]] = []
    edge = start_byte
    for decorator in reversed(decorators):
        if decorator[0] < start_byte:
            between = source[decorator[1] : edge].lstrip()
            if between and not between.startswith(_COMMENT_STARTS):
                break
            edge = decorator[0]
            own.append(decorator)
        elif decorator[1] <= name_start:
            own.append(decorator)
    own.reverse()
    head = start_byte
    for at, end, _node in own:
        if at >= head and not source[head:at].strip():
            head = end
    return own, head


def _start_byte(node: Node) -> int:
    return node.start_byte


def _text(source: bytes, node: Node) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _name_parts(text: str) -> list[str]:
    """Return the parts of a name as written, at least one: `a::B<T>::c`, `A\\B`, `Foo.bar`, `C::operator bool()`."""
    head, operator, rest = text.partition("operator")
    while "<" in head:
        shorter = _TYPE_ARGUMENTS.sub("", head)
        if shorter == head:
            break
        head = shorter
    parts = [part for part in _NAME_SEPARATOR.split(_SPACES.sub("", head)) if part]
    if operator:
        # `operator<`, `operator()`, `operator bool() const`: told without its own parameters
        parts.append(_one_line((operator + rest[:2] + rest[2:].partition("(")[0]).encode(), _VALUE_CHARS_MAX))
    return parts or [text.strip()]


def _declaration(source: bytes, start_byte: int, node: Node, kind: str) -> str:
    """Return on one line what has no body."""
    if kind in _NO_SCOPES:
        return _one_line(source[start_byte : node.end_byte], _VALUE_CHARS_MAX).rstrip(" ;{,")
    raw = _without_comments(source[start_byte : node.end_byte], start_byte, node)
    return _tight(_one_line(raw, _SIGNATURE_CHARS_MAX).rstrip(" ;{,"))


def _signature(source: bytes, start_byte: int, node: Node, body: Node, name_start: int) -> str:
    """Return the head of a definition on one line, without what opens its body and without comments."""
    body_start = body.start_byte
    raw = source[start_byte:body_start]
    if b"#" in raw or b"/" in raw:
        raw = _without_comments(raw, start_byte, node)
    text = _one_line(raw, _SIGNATURE_CHARS_MAX).rstrip(" :={;")
    if text[-2:] == "=>":
        text = text[:-2].rstrip()
    if name_start > body_start:  # typedef struct { } name;
        text = f"{text} {_one_line(source[body.end_byte : node.end_byte], _VALUE_CHARS_MAX).rstrip(' ;')}"
    return text if len(raw) == len(text) + 1 else _tight(text)


def _tight(text: str) -> str:
    """Return a head that stood on several lines without the blanks these left at its brackets."""
    return text.replace("( ", "(").replace(", )", ")").replace(" )", ")")


def _without_comments(raw: bytes, start_byte: int, node: Node) -> bytes:
    """Return a run of a node's text, which starts at a byte of the file, with its comments left out."""
    kept, at = [], 0
    for start, end in _comments_in(node, start_byte, start_byte + len(raw)):
        kept.append(raw[at : start - start_byte])
        at = end - start_byte
    return b" ".join([*kept, raw[at:]]) if kept else raw


def _comments_in(node: Node, start_byte: int, end_byte: int) -> Iterator[tuple[int, int]]:
    for child in node.children:
        if child.start_byte >= end_byte:
            break
        if child.end_byte > start_byte:
            if child.type.endswith("comment"):
                yield child.byte_range
            elif child.child_count:
                yield from _comments_in(child, start_byte, end_byte)


def _one_line(raw: bytes, chars_max: int, *, end_chars: int = 0) -> str:
    """Return a text with its white space made single blanks, cut by an ellipsis in front of its last `end_chars`."""
    text = " ".join(raw[: chars_max * 8].decode("utf-8", "replace").split())
    if len(text) <= chars_max and (not end_chars or len(raw) <= chars_max * 8):
        return text
    if not end_chars:
        return text[: chars_max - 1].rstrip() + "…"
    end = " ".join(raw[-end_chars * 8 :].decode("utf-8", "replace").split())[-end_chars:]
    return text[: chars_max - end_chars - 1].rstrip() + "…" + end


def _doc_line(raw: bytes) -> str:
    """Return the first line of a docstring's text that is not blank."""
    text = raw[: _DOC_CHARS_MAX * 16].decode("utf-8", "replace")
    match = _STRING_PREFIX.match(text)
    if match is not None:
        text = text[match.end() :].removesuffix(match.group(1))
    for line in text.split("\n"):
        stripped = line.strip().removesuffix("\\").rstrip()  # a backslash there joins the next line
        if stripped:
            return _shortened(stripped)
    return ""


def _doc_above(comments: dict[int, Node], rows: tuple[int, int], source: bytes) -> str:
    """Return what the comment says that ends above a definition: above its decorators, or between them and its head."""
    said = _first_said(_run_above(comments, rows[0], source))
    return said or (_first_said(_run_above(comments, rows[1], source)) if rows[1] != rows[0] else "")


def _run_above(comments: dict[int, Node], row: int, source: bytes) -> list[str]:
    """Return the comment that ends on the line above `row`, from the last to the first of a run of line comments."""
    run: list[str] = []
    while (comment := comments.get(row - 1)) is not None and len(run) < _DOC_RUN_MAX:
        start = comment.start_byte
        row, column = comment.start_point
        if source[start - column : start].strip():
            break  # it ends a line of code
        text = source[start : min(comment.end_byte, start + _DOC_CHARS_MAX * 16)].decode("utf-8", "replace")
        if text.startswith(_NOT_OF_WHAT_FOLLOWS):
            break
        run.append(text)
        if text.startswith("/*"):
            break
    return run


def _first_said(run: Sequence[str]) -> str:
    for text in reversed(run):
        for line in text.split("\n"):
            said = _said(line)
            if said:
                return "" if _LICENCE.search(said) else _shortened(said)
    return ""


def _said(line: str) -> str:
    """Return a comment's line without its marks and markup; "" for rulers, tags about parameters and directives."""
    text = _COMMENT_MARKS.sub("", line).strip().removesuffix("*/").rstrip()
    if "<" in text:
        text = _DOC_REFERENCE.sub(r"\1", text)
        text = _DOC_TAG.sub("", text).strip()
    if "{@" in text:
        text = _DOC_INLINE.sub(r"\1", text)
    text = _DOC_SUMMARY.sub("", text)
    if text.startswith(("@", "\\")) or _DIRECTIVE.match(text):
        return ""
    return text if any(character.isalnum() for character in text) else ""


def _shortened(text: str) -> str:
    return text if len(text) <= _DOC_CHARS_MAX else text[: _DOC_CHARS_MAX - 1].rstrip() + "…"


def _import_statement(node: Node, bound: Sequence[Node], source: bytes, not_names: frozenset[str]) -> ImportStatement:
    raw = source[node.start_byte : node.end_byte]
    if b"#" in raw or b"//" in raw or b"/*" in raw:
        raw = _without_comments(raw, node.start_byte, node)
    text = _one_line(raw, _IMPORT_CHARS_MAX, end_chars=_IMPORT_END_CHARS)
    start_line = node.start_point[0] + 1
    if bound:
        in_order = sorted(bound, key=_start_byte)
        names = tuple(dict.fromkeys(_text(source, name) for name in in_order))
    else:
        names = tuple(dict.fromkeys(word for word in _IMPORTED.findall(text) if word not in not_names))
    return ImportStatement(
        text, names, start_line, start_line + source.count(b"\n", node.start_byte, node.end_byte - 1)
    )
