"""NameTree: the names in one parsed file, what each does where it stands, and what binds it there.

Works from the places of a word in the text (found by a regular expression, which leaves comments and strings to the
tree to reject) and looks at a name's ancestors only; nothing walks a whole file. The rules are `name_rules`, the values
`ctx.domain.syntax`; what a name means outside its file is `application.definition_finder`.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...domain.errors import CtxError
from ...domain.syntax import (
    BINDING_ROLES,
    LITERAL,
    UNKNOWN,
    AttributeExpression,
    Binding,
    CallExpression,
    ChoiceExpression,
    CollectionExpression,
    ImportSpot,
    ItemExpression,
    NameExpression,
    NameUse,
)
from ..languages import grammar_of, parsable
from .name_rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node, Parser, Tree

    from ...domain.syntax import Expression, Role
    from .name_rules import NameRules, ScopeKind

PARSE_DEADLINE_S = 1.0
_READ_BYTES = 16 * 1024
_DIRECT_PARSE_BYTES_MAX = 4 * 1024
_DEPTH_MAX = 40
"""Deeper expressions are nobody's receiver."""
_CALLS_MAX = 2000
_RETURNS_MAX = 8
_SPACES = re.compile(r"\s+")
_DOTTED = re.compile(r"\w+(?:\.\w+)*")
_WORD_IN_TEXT = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_SELF_NODES = frozenset({"this", "self", "super", "base"})
_PATHS = frozenset({"dotted_name", "scoped_identifier", "qualified_name", "relative_import", "scoped_type_identifier"})
_INSIDE_IMPORTS = frozenset(
    """dotted_name aliased_import relative_import import_clause named_imports import_specifier namespace_import
    export_clause export_specifier import_spec import_spec_list scoped_identifier scoped_use_list use_list use_as_clause
    use_wildcard namespace_use_clause namespace_use_group namespace_aliasing_clause namespace_name
    qualified_name""".split()
)
_COLLECTION_TYPES = frozenset(
    """list List tuple Tuple set Set frozenset FrozenSet Sequence MutableSequence Iterable Iterator Collection Generator
    AsyncIterator AsyncIterable deque dict Dict Mapping MutableMapping defaultdict OrderedDict Array ReadonlyArray
    ArrayList LinkedList Queue Deque Vec VecDeque HashMap BTreeMap IEnumerable IList""".split()
)
"""Types that give back, item by item, what their last argument says."""
_NO_TYPE_AROUND = frozenset(
    """argument_list arguments call call_expression block statement_block expression_statement return_statement
    if_statement assignment comparison_operator""".split()
)
"""What a name in a type never stands in, unless it is nearer to the name than the type is."""
_TRANSPARENT_TYPES = frozenset({"Optional", "Union", "Annotated", "ClassVar", "Final", "Required", "NotRequired"})


class NameReader:
    """Parses files for their names; keeps one parser a language."""

    def __init__(
        self,
        *,
        deadline_s: float = PARSE_DEADLINE_S,
        perf_counter_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """Take the limits; no grammar is imported yet."""
        self._deadline_s = deadline_s
        self._perf_counter_ns = perf_counter_ns
        self._parsers: dict[str, Parser] = {}

    def read(self, source: bytes, language: str) -> NameTree | None:
        """Return the names of UTF-8 source; None for a language without rules, or a parse that takes too long."""
        rules = RULES.get(language)
        if rules is None:
            return None
        try:
            tree = self._parse(parsable(language, source), language)
        except CtxError:
            return None
        return NameTree(tree, source, language, rules) if tree is not None else None

    def _parse(self, source: bytes, language: str) -> Tree | None:
        parser = self._parsers.get(language)
        if parser is None:
            from tree_sitter import Parser

            parser = self._parsers[language] = Parser(grammar_of(language))
        if len(source) <= _DIRECT_PARSE_BYTES_MAX:
            return parser.parse(source)
        deadline_ns = self._perf_counter_ns() + int(self._deadline_s * 1e9)
        try:
            return parser.parse(
                lambda offset, _point: source[offset : offset + _READ_BYTES],
                progress_callback=lambda _offset, _has_error: self._perf_counter_ns() >= deadline_ns,
            )
        except ValueError:  # what py-tree-sitter raises when the callback stops it
            parser.reset()
            return None


@dataclass(slots=True)
class _Declared:
    """Where one scope declares a name; `outer` is the statement that gives the name to another scope instead."""

    nodes: list[tuple[Node, Role]] = field(default_factory=list)
    outer: str = ""
    bindings: tuple[Binding, ...] | None = None


class NameTree:
    """The names of one parsed file; see `ctx.domain.syntax.NameTree` for what each call answers."""

    def __init__(self, tree: Tree, source: bytes, language: str, rules: NameRules) -> None:
        """Take a parsed file."""
        self.language = language
        self.has_errors = tree.root_node.has_error
        self._root = tree.root_node
        self._source = source
        self._rules = rules
        self._binding_parents = {parent for parent, _field_name in rules.binders}
        self._outside_parents = {parent for parent, _field_name in rules.outside}
        self._keyword_parents = {parent for parent, _field_name in rules.keywords}
        self._declared: dict[str, dict[int, _Declared]] = {}
        self._lines = source.split(b"\n")
        self.line_count = len(self._lines) - (1 if source.endswith(b"\n") or not source else 0)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    # ------------------------------------------------------------------ places

    def line_text(self, line: int) -> str:
        """Return a line without its end; "" beyond the file."""
        if not 1 <= line <= len(self._lines):
            return ""
        return self._lines[line - 1].removesuffix(b"\r").decode("utf-8", "replace")

    def line_of(self, start_byte: int) -> int:
        """Return the line that a byte is on."""
        return bisect_right(self._starts, start_byte)

    def at(self, line: int, column: int) -> NameUse | None:
        """Return the name that holds the column or ends right before it, None where there is none."""
        if not 1 <= line <= len(self._lines):
            return None
        before = self.line_text(line)[: column - 1].encode("utf-8", "replace")
        start = self._starts[line - 1] + min(len(before), len(self._lines[line - 1]))
        for byte in (start, start - 1):
            if byte < self._starts[line - 1]:
                continue
            node = self._name_at(byte)
            if node is not None:
                return self._use(node)
            quoted = self._quoted_type(byte)
            if quoted is not None:
                return quoted
        return None

    def names_on(self, line: int) -> tuple[NameUse, ...]:
        """Return the names of a line, from left to right."""
        if not 1 <= line <= len(self._lines):
            return ()
        start = self._starts[line - 1]
        found = {}
        for match in _WORD_IN_TEXT.finditer(self._lines[line - 1]):
            node = self._name_at(start + match.start())
            if node is not None:
                found[node.start_byte] = node
        return tuple(self._use(node) for node in found.values())

    def uses_of(self, name: str) -> tuple[NameUse, ...]:
        """Return every place of a name in source order; not what is in comments and texts."""
        return tuple(self._use(node) for node in self._nodes_of(name, self._root))

    def calls_in(self, start_line: int, end_line: int) -> tuple[NameUse, ...]:
        """Return the names of what is called in those lines, in source order."""
        from tree_sitter import Query, QueryCursor

        calls = self._rules.calls
        if not calls:
            return ()
        query = Query(grammar_of(self.language), " ".join(f"({kind}) @call" for kind in calls))
        cursor = QueryCursor(query)
        cursor.set_point_range((start_line - 1, 0), (end_line, 0))
        found = {}
        for node in cursor.captures(self._root).get("call", ()):
            if not start_line <= node.start_point[0] + 1 <= end_line:
                continue
            name = self._called_name(node)
            if name is not None:
                found[name.start_byte] = name
        return tuple(self._use(found[start]) for start in sorted(found)[:_CALLS_MAX])

    # ------------------------------------------------------------------ meaning

    def bindings(self, name: str, start_byte: int) -> tuple[Binding, ...]:
        """Return what binds a name in the innermost scope around the place that does, in source order."""
        if start_byte < 0:
            return self._bound_in(self._root, name, "module")[0]
        node: Node | None = self._root.descendant_for_byte_range(start_byte, start_byte + 1) or self._root
        is_nearest, to_module = True, False
        while node is not None:
            scope = self._scope_around(node)
            if scope is None:
                return ()
            node = scope
            kind = self._rules.scopes[scope.type]
            if to_module and kind != "module":
                continue
            is_seen = kind != "class" or (is_nearest and self.language == "python") or self._rules.sees_members
            if is_seen:
                bound, outer = self._bound_in(scope, name, kind)
                if outer:
                    to_module = outer == "global_statement"
                elif bound:
                    return bound
            if kind in ("class", "function"):
                is_nearest = False
        return ()

    def owner_of(self, use: NameUse) -> Expression:
        """Return the receiver a member is asked of; UNKNOWN for what has none."""
        node = self._node_of(use)
        if node is None:
            return UNKNOWN
        owner, _name = self._member_parts(node)
        return self._expression(owner) if owner is not None else UNKNOWN

    def value_at(self, use: NameUse) -> tuple[Expression, Expression]:
        """Return (value, annotation) of the assignment or declaration that a name is the target of."""
        node = self._node_of(use)
        return self._value_of(node) if node is not None else (UNKNOWN, UNKNOWN)

    def called_with(self, use: NameUse) -> Expression:
        """Return the function that a keyword is passed to."""
        node = self._node_of(use)
        while node is not None and node.parent is not None:
            node = node.parent
            function = self._rules.calls.get(node.type)
            if function is not None:
                called = node.child_by_field_name(function) if function else _child(node, 0)
                return self._expression(called) if called is not None else UNKNOWN
            if node.type in self._rules.classes or node.type.endswith("statement"):
                break
        return UNKNOWN

    def import_at(self, use: NameUse) -> ImportSpot | None:
        """Return the import that a name is part of."""
        node = self._node_of(use)
        statement = self._import_around(node) if node is not None else None
        if node is None or statement is None:
            return None
        text = _SPACES.sub(" ", self._text(statement))
        path = node.parent
        module = ""
        if path is not None and path.type in _PATHS:
            above = path.parent
            if above is not None and above.type == "relative_import":
                path = above
            is_name = self.language == "python" and _field(path) == "name" and statement.type == "import_from_statement"
            is_last = node.end_byte == path.end_byte and self.language != "python"
            if not is_name and not (is_last and self._binds(node)):
                module = self._source[path.start_byte : node.end_byte].decode("utf-8", "replace")
        return ImportSpot(statement.start_point[0] + 1, text, module)

    def returns_of(self, line: int) -> tuple[tuple[Expression, ...], bool]:
        """Return what the function named on a line gives back, and whether that is its declared type."""
        node = self._definition_on(line, self._rules.functions)
        if node is None:
            return (), False
        result = self._rules.functions[node.type]
        declared = node.child_by_field_name(result) if result else None
        if declared is not None and declared.type == "parameter_list":  # Go's several results: the first
            first = _child(declared, 0)
            declared = first.child_by_field_name("type") if first is not None else None
        if declared is not None:
            return (self._expression(declared),), True
        return tuple(self._expression(value) for value in self._returned(node)), False

    def takes_any_keyword(self, line: int) -> bool:
        """Tell whether the function named on a line takes keywords it does not name (Python's `**options`)."""
        node = self._definition_on(line, self._rules.functions)
        parameters = node.child_by_field_name("parameters") if node is not None else None
        if parameters is None:
            return False
        children = parameters.named_children
        plain = [_child(child, 0) if child.type == "typed_parameter" else child for child in children]
        return any(child is not None and child.type == "dictionary_splat_pattern" for child in plain)

    def bases_of(self, line: int) -> tuple[Expression, ...]:
        """Return the bases of the class named on a line."""
        node = self._definition_on(line, self._rules.classes)
        if node is None:
            return ()
        wanted = self._rules.classes[node.type]
        found: list[Expression] = []
        for at, child in enumerate(node.children):
            if child.type in wanted or node.field_name_for_child(at) in wanted:
                found += [self._expression(base) for base in self._bases_in(child)]
        return tuple(found)

    # ------------------------------------------------------------------ nodes

    def _text(self, node: Node) -> str:
        """Return a node's text; the node's own property asks the parser's reading function again for each piece."""
        return self._source[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _name_at(self, byte: int) -> Node | None:
        node = self._root.descendant_for_byte_range(byte, byte + 1)
        if node is None:
            return None
        if node.type not in self._rules.names and node.type not in _SELF_NODES:
            return None
        return node if node.start_byte <= byte < node.end_byte else None

    def _quoted_type(self, byte: int) -> NameUse | None:
        """Return the name in a type that is written as a text (Python's forward references)."""
        if self.language != "python":
            return None
        node = self._root.descendant_for_byte_range(byte, byte + 1)
        if node is None or node.type != "string_content":
            return None
        above, depth = node.parent, 0
        while above is not None and above.type != "type" and depth < 6:
            above, depth = above.parent, depth + 1
        if above is None or above.type != "type":
            return None
        for match in _WORD_IN_TEXT.finditer(self._source, node.start_byte, node.end_byte):
            if match.start() <= byte < match.end():
                line = node.start_point[0]
                column = len(self._source[self._starts[line] : match.start()].decode("utf-8", "replace")) + 1
                return NameUse(match.group().decode(), "type", line + 1, column, match.start(), match.end())
        return None

    def _nodes_of(self, name: str, scope: Node) -> Iterator[Node]:
        """Yield the nodes of that name inside a node, in source order."""
        raw = name.encode("utf-8", "replace")
        size = len(raw)
        at = self._source.find(raw, scope.start_byte, scope.end_byte)
        while at >= 0:
            is_whole = (at == 0 or not _is_word_byte(self._source[at - 1])) and (
                at + size >= len(self._source) or not _is_word_byte(self._source[at + size])
            )
            if is_whole:
                node = self._root.descendant_for_byte_range(at, at + size)
                if (
                    node is not None
                    and node.type in self._rules.names
                    and (node.start_byte, node.end_byte) == (at, at + size)
                ):
                    yield node
            at = self._source.find(raw, at + size, scope.end_byte)

    def _node_of(self, use: NameUse) -> Node | None:
        node = self._root.descendant_for_byte_range(use.start_byte, use.end_byte)
        known = node is not None and (node.type in self._rules.names or node.type in _SELF_NODES)
        return node if known else None

    def _use(self, node: Node) -> NameUse:
        role, is_member = self._role(node)
        row, byte_column = node.start_point
        line = self._lines[row]
        column = (byte_column if line.isascii() else len(line[:byte_column].decode("utf-8", "replace"))) + 1
        return NameUse(self._text(node), role, row + 1, column, node.start_byte, node.end_byte, is_member)

    def _role(self, node: Node) -> tuple[Role, bool]:  # noqa: PLR0911 - one line a role
        """Return what a name does, and whether it is a member of something."""
        rules = self._rules
        if self._import_around(node) is not None:
            return "import", False
        target, parent, place = self._target(node)
        if parent is None:
            return "other", False
        role = rules.binders.get((parent.type, place))
        if role is not None and self._is_bound_by(target, parent, role):
            if role == "definition":
                scope = self._scope_around(target)
                return role, scope is not None and rules.scopes[scope.type] == "class"
            return role, False
        parent = node.parent
        assert parent is not None
        owner, member = self._member_parts(node)
        if member is not None:
            if self._is_called(member) or (parent.type in rules.calls and rules.calls[parent.type] == _field(node)):
                return "call", True
            _target, above, above_field = self._target(member)
            if above is not None and rules.binders.get((above.type, above_field)) in ("variable", "write"):
                return "write", True
            return "attribute", owner is not None
        if self._is_called(node):
            return "call", False
        if parent.type in self._keyword_parents and (parent.type, _field(node)) in rules.keywords:
            return "keyword", False
        if node.type == "type_identifier" or self._is_in_type(node):
            return "type", False
        return "other", False

    def _target(self, node: Node) -> tuple[Node, Node | None, str]:
        """Climb out of patterns; return the outermost, what it stands in, and in which of its fields."""
        patterns = self._rules.patterns
        parent = node.parent
        if parent is not None and parent.type == "dotted_name" and parent.named_child_count == 1:
            node, parent = parent, parent.parent  # Python's patterns wrap a plain name so
        while parent is not None:
            fields = patterns.get(parent.type)
            if fields is None:
                return node, parent, _field(node) if parent.type in self._binding_parents else ""
            if fields and _field(node) not in fields:
                return node, parent, _field(node)
            node, parent = parent, parent.parent
        return node, None, ""

    def _is_bound_by(self, target: Node, parent: Node, role: Role) -> bool:
        """Tell the names a node binds from its other children without a field."""
        if parent.type == "as_pattern" and target.type != "as_pattern_target":
            previous = target.prev_sibling
            return previous is not None and previous.type == "as"
        if parent.type == "keyword_pattern":
            return target.type == "dotted_name"
        if parent.type == "case_pattern":
            return target.type in ("dotted_name", "splat_pattern")
        if role == "parameter" and not _field(target):
            return target.type not in ("type", "attribute")
        if parent.type == "foreach_statement" and not _field(target):
            previous = target.prev_sibling
            return previous is not None and previous.type in ("as", "=>")
        return True

    def _member_parts(self, node: Node) -> tuple[Node | None, Node | None]:
        """Return (receiver, the whole) when a name is asked of a receiver, else (None, None)."""
        parent = node.parent
        fields = self._rules.members.get(parent.type) if parent is not None else None
        if parent is None or fields is None:
            return None, None
        owner_field, name_field = fields
        if not name_field:
            first = _child(parent, 0)
            return (first, parent) if first is not None and first != node else (None, None)
        if _field(node) != name_field:
            return None, None
        owner = parent.child_by_field_name(owner_field)
        return (owner, parent) if owner is not None else (None, None)

    def _is_called(self, node: Node) -> bool:
        parent = node.parent
        if parent is not None and parent.type in ("generic_type", "command_name"):
            node, parent = parent, parent.parent
        if parent is None:
            return False
        function = self._rules.calls.get(parent.type)
        if function is None:
            return False
        if function:
            return _field(node) == function
        first = _child(parent, 0)
        return first is not None and first == node

    def _called_name(self, call: Node) -> Node | None:
        """Return the last name of what is called."""
        function = self._rules.calls[call.type]
        node = call.child_by_field_name(function) if function else _child(call, 0)
        for _ in range(_DEPTH_MAX):
            if node is None or node.type in self._rules.names:
                return node
            fields = self._rules.members.get(node.type)
            if fields is not None and fields[1]:
                node = node.child_by_field_name(fields[1])
            elif node.type in ("generic_type", "command_name", "generic_function"):
                node = _child(node, 0)
            else:
                return None
        return None

    def _is_in_type(self, node: Node) -> bool:
        above = node.parent
        for _ in range(_DEPTH_MAX):
            if above is None or above.type in self._rules.scopes:
                return False
            if above.type in self._rules.types:
                return True
            parent = above.parent
            if parent is not None and parent.type in self._rules.classes:
                return _field(above) in self._rules.classes[parent.type] or (
                    above.type in self._rules.classes[parent.type]
                )
            if above.type in _NO_TYPE_AROUND:
                return False
            above = parent
        return False

    def _import_around(self, node: Node) -> Node | None:
        above = node.parent
        while above is not None and above.type in _INSIDE_IMPORTS:
            above = above.parent
        if above is None:
            return None
        if above.type in self._rules.imports:
            return above
        is_handed_on = above.type == "export_statement" and above.child_by_field_name("source") is not None
        return above if is_handed_on else None

    def _binds(self, node: Node) -> bool:
        """Tell whether a name in an import is one that the import binds."""
        rules = self._rules
        top = node
        while top.parent is not None and top.parent.type in _PATHS:
            last = _child(top.parent, -1)
            if top.parent.type == "dotted_name":
                above = top.parent.parent
                if above is not None and above.type == "import_statement":
                    return top == _child(top.parent, 0)  # `import a.b` binds a
            if last != top:
                return False
            top = top.parent
        parent = top.parent
        if parent is None or rules.binders.get((parent.type, _field(top))) != "import":
            return False
        return not (parent.type == "import_specifier" and _field(top) == "name" and parent.child_by_field_name("alias"))

    # ------------------------------------------------------------------ scopes

    def _scope_around(self, node: Node) -> Node | None:
        """Return the scope that a node is evaluated in; for a scope itself the one around it."""
        is_out = False
        parent = node.parent
        while parent is not None:
            is_out = is_out or self._leads_out(node, parent)
            if parent.type in self._rules.scopes:
                if not is_out:
                    return parent
                is_out = False
            node, parent = parent, parent.parent
        return None

    def _leads_out(self, node: Node, parent: Node) -> bool:
        """Tell whether a child is evaluated outside the next scope: a default, a comprehension's first source."""
        if parent.type not in self._outside_parents and parent.type != "for_in_clause":
            return False
        place = _field(node)
        if (parent.type, place) in self._rules.outside:
            return True
        if parent.type != "for_in_clause" or place != "right" or parent.parent is None:
            return False
        return next((c for c in parent.parent.named_children if c.type == "for_in_clause"), None) == parent

    def _bound_in(self, scope: Node, name: str, kind: ScopeKind) -> tuple[tuple[Binding, ...], str]:
        """Return what a scope itself binds under a name, and the statement that says the name is another scope's."""
        declared = self._declared_as(name).get(scope.id)
        if declared is None:
            return (), ""
        if declared.outer:
            return (), declared.outer
        if declared.bindings is None:
            declared.bindings = tuple(self._binding(node, role, scope, kind) for node, role in declared.nodes)
        return declared.bindings, ""

    def _declared_as(self, name: str) -> dict[int, _Declared]:
        """Return, by the scopes they belong to, the places that declare a name anywhere in the file."""
        known = self._declared.get(name)
        if known is not None:
            return known
        known = self._declared[name] = {}
        for node in self._nodes_of(name, self._root):
            role, _is_member = self._role(node)
            if role == "outer":
                scope = self._scope_around(node)
                if scope is not None and node.parent is not None:
                    known.setdefault(scope.id, _Declared()).outer = node.parent.type
                continue
            if role not in BINDING_ROLES or (role == "import" and not self._binds(node)):
                continue
            scope = self._own_scope(node)
            if scope is not None:
                known.setdefault(scope.id, _Declared()).nodes.append((node, role))
        return known

    def _own_scope(self, node: Node) -> Node | None:
        """Return the scope that a declared name belongs to; None for the key of an object, which is no name in it."""
        target, parent, _field_name = self._target(node)
        scope = self._scope_around(target)
        if parent is None or parent.type == "pair":
            return None
        hoisted = self._rules.hoisted
        is_hoisted = parent.type in hoisted or (parent.parent is not None and parent.parent.type in hoisted)
        while is_hoisted and scope is not None and self._rules.scopes[scope.type] == "block":
            scope = self._scope_around(scope)
        return scope

    def _binding(self, node: Node, role: Role, scope: Node, kind: ScopeKind) -> Binding:
        value, annotation = self._value_of(node)
        end_line = node.end_point[0] + 1
        parent = self._target(node)[1]
        if role == "definition" and parent is not None:
            end_line = parent.end_point[0] + 1
        return Binding(self._use(node), kind, end_line, value, annotation, self._is_receiver(node, role, scope))

    def _is_receiver(self, node: Node, role: Role, scope: Node) -> bool:
        """Tell whether a parameter is the one a Python method gets its object by."""
        if role != "parameter" or self.language != "python" or scope.type != "function_definition":
            return False
        parameters = scope.child_by_field_name("parameters")
        first = _child(parameters, 0) if parameters is not None else None
        if first is None or not first.start_byte <= node.start_byte < first.end_byte:
            return False
        around = self._scope_around(scope)
        above = scope.parent
        if above is not None and above.type == "decorated_definition" and "staticmethod" in self._text(above)[:400]:
            return False
        return around is not None and around.type == "class_definition"

    # ------------------------------------------------------------------ values

    def _value_of(self, node: Node) -> tuple[Expression, Expression]:
        member = self._member_parts(node)[1]
        target, parent, _field_name = self._target(member or node)
        if parent is None:
            return UNKNOWN, UNKNOWN
        if parent.type == "as_pattern":
            return self._value_of_as(parent), UNKNOWN
        fields = self._rules.values.get(parent.type)
        if fields is None:
            return UNKNOWN, UNKNOWN
        value = parent.child_by_field_name(fields[0]) if fields[0] else None
        annotation = parent.child_by_field_name(fields[1]) if fields[1] else None
        if annotation is None and fields[1] and parent.parent is not None:
            annotation = parent.parent.child_by_field_name(fields[1])  # Java writes it before all declarators
        given = self._expression(value) if value is not None else UNKNOWN
        if value is not None and value.type == "expression_list":
            given = self._one_of_several(node, target, value)
        elif (member or node) != target:
            # Go's `for index, item := range`: what is run over is given second.
            is_item = parent.type == "range_clause" and node == _child(target, 1)
            given = given if is_item else self._part_of_pattern(node, given)
        if parent.type in self._rules.iterations:
            given = ItemExpression(given) if given is not UNKNOWN else UNKNOWN
        return given, self._expression(annotation) if annotation is not None else UNKNOWN

    def _value_of_as(self, as_pattern: Node) -> Expression:
        given = self._expression(as_pattern.named_children[0])
        above = as_pattern.parent
        if above is not None and above.type == "except_clause":
            return CallExpression(given)
        return given

    def _one_of_several(self, node: Node, target: Node, values: Node) -> Expression:
        """Return the value at a name's own place in `a, b = x, y`; of one call's several results only the first."""
        names = list(target.named_children) if target.type == "expression_list" else [target]
        place = next((at for at, child in enumerate(names) if child == node), 0)
        given = values.named_children
        if len(given) == len(names):
            return self._expression(given[place])
        return self._expression(given[0]) if len(given) == 1 and place == 0 else UNKNOWN

    def _part_of_pattern(self, node: Node, given: Expression) -> Expression:
        """Return what a pattern takes out of a value: `{name}` takes a member, everything else is not known."""
        parent = node.parent
        if node.type == "shorthand_property_identifier_pattern" and parent is not None and _is_flat(parent):
            return AttributeExpression(given, self._text(node))
        pattern = parent.parent if parent is not None and parent.type == "pair_pattern" else None
        if parent is not None and pattern is not None and _is_flat(pattern):
            key = parent.child_by_field_name("key")
            return AttributeExpression(given, self._text(key)) if key is not None else UNKNOWN
        return UNKNOWN

    def _expression(self, node: Node, depth: int = 0) -> Expression:  # noqa: PLR0911, PLR0912 - one line a case
        rules = self._rules
        kind = node.type
        if depth > _DEPTH_MAX:
            return UNKNOWN
        if kind in rules.names or kind in _SELF_NODES:
            return NameExpression(self._text(node), node.start_byte)
        if kind in rules.calls:
            return self._call_expression(node, depth)
        fields = rules.members.get(kind)
        if fields is not None:
            owner = node.child_by_field_name(fields[0]) if fields[0] else _child(node, 0)
            name = node.child_by_field_name(fields[1]) if fields[1] else _child(node, -1)
            if name is None:
                return UNKNOWN
            if owner is None:
                return NameExpression(self._text(name), name.start_byte)
            return AttributeExpression(self._expression(owner, depth + 1), self._text(name))
        if kind == "string" and self.language == "python":
            return self._quoted_expression(node)
        if kind in rules.literals:
            return LITERAL
        if kind in ("assignment", "assignment_expression"):  # x = y = 1
            right = node.child_by_field_name("right")
            return self._expression(right, depth + 1) if right is not None else UNKNOWN
        if kind in rules.choices:
            options = tuple(self._expression(child, depth + 1) for child in _options(node))
            known = tuple(option for option in options if option is not UNKNOWN)
            return known[0] if len(known) == 1 else ChoiceExpression(known)
        if kind in rules.items:
            return self._item_expression(node, depth)
        if kind in rules.wrappers:
            for child in node.named_children:
                if child.type not in ("comment", "mutable_specifier", "lifetime"):
                    return self._expression(child, depth + 1)
        return UNKNOWN

    def _call_expression(self, node: Node, depth: int) -> Expression:
        function = self._rules.calls[node.type]
        if node.type in self._rules.members:  # Java, PHP, Ruby: receiver and name are the call's own fields
            owner_field, name_field = self._rules.members[node.type]
            owner, name = node.child_by_field_name(owner_field), node.child_by_field_name(name_field)
            if name is None:
                return UNKNOWN
            if owner is None:
                return CallExpression(NameExpression(self._text(name), name.start_byte))
            return CallExpression(AttributeExpression(self._expression(owner, depth + 1), self._text(name)))
        called = node.child_by_field_name(function) if function else _child(node, 0)
        return CallExpression(self._expression(called, depth + 1)) if called is not None else UNKNOWN

    def _quoted_expression(self, node: Node) -> Expression:
        """Return the type that a text spells, when it is the text of a type and no more than a dotted name."""
        content = next((child for child in node.named_children if child.type == "string_content"), None)
        above = node.parent
        is_type = above is not None and (above.type in ("type", "binary_operator", "type_parameter"))
        if content is None or not is_type:
            return LITERAL
        text = self._text(content).strip().removesuffix("| None").strip()
        if _DOTTED.fullmatch(text) is None:
            return UNKNOWN
        first, *rest = text.split(".")
        expression: Expression = NameExpression(first, content.start_byte)
        for name in rest:
            expression = AttributeExpression(expression, name)
        return expression

    def _item_expression(self, node: Node, depth: int) -> Expression:
        held = self._rules.items[node.type]
        owner = node.child_by_field_name(held) if held else _child(node, 0)
        if owner is None:
            return UNKNOWN
        name = self._text(owner).rpartition(".")[2]
        if node.type in ("slice_type", "array_type"):
            return CollectionExpression(self._expression(owner, depth + 1))
        arguments = [child for child in node.named_children if child != owner]
        if len(arguments) == 1 and arguments[0].type in ("type_parameter", "type_arguments", "tuple"):
            arguments = arguments[0].named_children
        if name in _TRANSPARENT_TYPES:
            return ChoiceExpression(tuple(self._expression(child, depth + 1) for child in arguments))
        is_generic = node.type.startswith("generic")
        if is_generic and arguments and name in _COLLECTION_TYPES:
            return CollectionExpression(self._expression(arguments[-1], depth + 1))
        given = self._expression(owner, depth + 1)
        return given if is_generic else ItemExpression(given)

    def _returned(self, function: Node) -> list[Node]:
        """Return what the return statements of a function give back, not those of functions inside it."""
        found: list[Node] = []
        waiting = [function.child_by_field_name("body")]
        while waiting and len(found) < _RETURNS_MAX:
            node = waiting.pop()
            if node is None:
                continue
            if node.type in self._rules.returns:
                value = _child(node, 0)
                if value is not None and value.type != "comment":
                    found.append(value)
                continue
            for child in reversed(node.named_children):
                is_other = child.type in self._rules.functions or self._rules.scopes.get(child.type) == "class"
                waiting += [] if is_other else [child]
        return found

    def _bases_in(self, node: Node) -> Iterator[Node]:
        if node.type in self._rules.names or node.type in self._rules.members or node.type in self._rules.items:
            yield node
            return
        for child in node.named_children:
            if child.type in ("keyword_argument", "comment", "type_arguments", "field_declaration"):
                # An embedded struct of Go is a field without a name.
                if child.type == "field_declaration" and child.child_by_field_name("name") is None:
                    embedded = child.child_by_field_name("type")
                    if embedded is not None:
                        yield embedded
                continue
            if child.type in self._rules.literals:
                continue
            yield from self._bases_in(child)

    def _definition_on(self, line: int, kinds: object) -> Node | None:
        """Return the definition of one of the kinds whose name stands on a line."""
        for use in self.names_on(line):
            if use.role != "definition":
                continue
            node = self._node_of(use)
            above = node.parent if node is not None else None
            while above is not None:
                if above.type in kinds:  # type: ignore[operator]  # a mapping by node type
                    return above
                if above.start_point[0] + 1 < line and above.type in self._rules.scopes:
                    break
                above = above.parent
        return None


def _options(node: Node) -> list[Node]:
    """Return what a choice is between: of a condition not the condition itself, of a type not its None."""
    children = [child for child in node.named_children if child.type not in ("none", "comment")]
    if node.type == "conditional_expression" and len(children) == 3:
        return [children[0], children[2]]
    if node.type == "ternary_expression" and len(children) == 3:
        return children[1:]
    return children


def _child(node: Node, place: int) -> Node | None:
    """Return a named child by its place, comments not counted; None where there is none."""
    children = [child for child in node.named_children if not child.is_extra]
    return children[place] if -len(children) <= place < len(children) else None


def _is_flat(pattern: Node) -> bool:
    return pattern.parent is not None and pattern.parent.type == "variable_declarator"


def _field(node: Node) -> str:
    """Return the field a node stands in, "" for none."""
    parent = node.parent
    if parent is None:
        return ""
    at = next((at for at, child in enumerate(parent.children) if child == node), None)
    return (parent.field_name_for_child(at) or "") if at is not None else ""


def _is_word_byte(byte: int) -> bool:
    return byte == 0x5F or 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A or byte >= 0x80


__all__ = ["NameReader", "NameTree"]
