"""What a name in a file means: from the place it stands at to its definitions, through scopes, imports and classes.

Infers only what is cheap and mostly right: what a variable was made from, what a parameter was declared as, what a
class inherits. Owns no text and no index; which spelling means which place is `resolve`. Nothing here guesses by name
alone: what is not known is empty.
"""

from __future__ import annotations

import builtins
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..domain.import_graph import HOPS_MAX, Lookups, origins_of
from ..domain.imports import ALL_NAMES, ImportedName, parse_import
from ..domain.index_records import DefinitionRow
from ..domain.symbols import CLASS_KINDS, CONTAINER_KINDS, FUNCTION_KINDS
from ..domain.syntax import (
    UNKNOWN,
    AttributeExpression,
    CallExpression,
    ChoiceExpression,
    CollectionExpression,
    ItemExpression,
    LiteralExpression,
    NameExpression,
)
from ..domain.telemetry.redaction import truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..domain.module_map import ModuleMap
    from ..domain.ports import IndexPort
    from ..domain.symbol_answer import Reason
    from ..domain.syntax import Binding, Expression, NameTree, NameUse, ReadTree

DEPTH_MAX = 14
"""Further steps from a name to a value: each is a call, an attribute or an import."""
BASES_MAX = 60
_LINE_CHARS_MAX = 240

_BUILTINS = {
    "python": frozenset(dir(builtins)) | {"__file__", "__path__", "__class__", "reveal_type"},
    "go": frozenset(
        """append cap clear close complex copy delete imag len make max min new panic print println real recover any
        bool byte comparable error float32 float64 int int8 int16 int32 int64 rune string uint uint8 uint16 uint32
        uint64 uintptr true false nil iota""".split()
    ),
    "javascript": frozenset(
        """Array ArrayBuffer Boolean Buffer Date Error Function Infinity JSON Map Math NaN Number Object Promise Proxy
        RangeError Reflect RegExp Set String Symbol SyntaxError TypeError URL URLSearchParams WeakMap WeakSet Uint8Array
        arguments clearTimeout console decodeURIComponent document encodeURIComponent exports globalThis isNaN module
        parseFloat parseInt process require setImmediate setInterval setTimeout undefined window""".split()
    ),
}
_BUILTINS["typescript"] = _BUILTINS["tsx"] = _BUILTINS["javascript"]
_ECMASCRIPT = frozenset({"javascript", "typescript", "tsx"})
_SELF = frozenset({"this", "self", "$this", "Self", "static"})
_SUPER = frozenset({"super", "base", "parent"})
_TYPES = CLASS_KINDS | {"type"}
_OF_EVERY_OBJECT = (
    frozenset(dir(object)) | frozenset(dir(type)) | {"__dict__", "__name__", "__qualname__", "__wrapped__"}
)
_ANNOTATED = re.compile(r"\w+\s*:")
NOT_STORED = -2
"""The `parent` of a row for a place that the index keeps no definition of: a local, a parameter, an attribute."""
_MODULE_ROW = DefinitionRow("module", "", "", "", "", 1, 1, 1, 1, -1)


class Meaning(NamedTuple):
    """Something a name or an expression is.

    `class` is a class itself, `instance` an object of it, `collection` one that holds such objects, `definition`
    anything else that is declared, `module` a whole file, `outside` something that is known not to be defined in an
    indexed file; `sought` says why, where the segment is what it was sought in. `is_super` leaves out the class itself
    when a member is looked for.
    """

    kind: Literal["class", "instance", "collection", "definition", "module", "outside"]
    path: str
    row: DefinitionRow
    reason: Reason = "exact"
    is_super: bool = False
    sought: str = ""


OUTSIDE = Meaning("outside", "", _MODULE_ROW)


@dataclass(slots=True)
class DefinitionFinder:
    """Finds definitions for one answer; remembers what it read. `is_late` tells when to stop."""

    index: IndexPort
    modules: ModuleMap
    read_tree: ReadTree
    is_late: Callable[[], bool] = lambda: False
    was_late: bool = False
    _rows: dict[str, list[DefinitionRow]] = field(default_factory=dict)
    _imports: dict[str, tuple[ImportedName, ...]] = field(default_factory=dict)
    _orders: dict[tuple[str, str, int], list[Meaning]] = field(default_factory=dict)
    _members: dict[tuple[str, str, int, str, bool], list[Meaning]] = field(default_factory=dict)
    _globals: dict[tuple[str, str], list[Meaning]] = field(default_factory=dict)
    _values: dict[tuple[str, Expression], list[Meaning]] = field(default_factory=dict)
    _vain_hops: int = 0

    # ------------------------------------------------------------------ what is stored

    def rows(self, path: str) -> list[DefinitionRow]:
        """Return what a file defines."""
        known = self._rows.get(path)
        if known is None:
            known = self._rows[path] = self.index.definitions_of(path)
        return known

    def imports(self, path: str) -> tuple[ImportedName, ...]:
        """Return what a file's imports bind."""
        known = self._imports.get(path)
        if known is None:
            language = self.modules.language_of(path)
            known = tuple(name for row in self.index.imports_of(path) for name in parse_import(language, row.text))
            self._imports[path] = known
        return known

    def row_on(self, path: str, line: int, name: str) -> DefinitionRow | None:
        """Return the definition whose name stands on that line."""
        return next((row for row in self.rows(path) if row.name_line == line and row.name == name), None)

    def around(self, path: str, line: int, kinds: frozenset[str]) -> DefinitionRow | None:
        """Return the innermost definition of those kinds around a line."""
        best = None
        for row in self.rows(path):
            if row.kind in kinds and row.start_line <= line <= row.end_line:
                best = row
        return best

    def at_place(self, path: str, line: int, column: int, name: str) -> Meaning | None:
        """Return what stands at a place that somebody else points to; None in a file that is not indexed.

        That is the definition whose name stands there; else the name that does, as a place of its own; else the
        definition that begins there (at a decorator, say), the file for its beginning, what is around, or the line.
        """
        record = self.index.file(path)
        if record is None or record.status == "skipped":
            return None
        rows = self.rows(path)
        is_beginning = (line, column) == (1, 1)
        row = next((row for row in rows if (row.name_line, row.name_column) == (line, column)), None)
        if row is not None and (row.name == name or not is_beginning):
            return _meaning(path, row)
        tree = self.read_tree(path)
        use = tree.at(line, column) if tree is not None else None
        if is_beginning and (use is None or use.name != name):
            return self.module(path)
        if tree is not None and use is not None and use.column == column:
            return self._of_place(tree, path, use, line, _kind_of_place(use))
        row = self.row_on(path, line, name) or next((row for row in rows if row.start_line == line), None)
        row = row or self.around(path, line, FUNCTION_KINDS | CONTAINER_KINDS)
        if row is None:
            text = truncated(" ".join(tree.line_text(line).split()), _LINE_CHARS_MAX) if tree is not None else ""
            row = DefinitionRow("variable", name, name, text, "", line, line, line, column, NOT_STORED)
        return _meaning(path, row)

    # ------------------------------------------------------------------ definitions of names

    def of_use(self, tree: NameTree, path: str, use: NameUse) -> list[Meaning]:  # noqa: PLR0911 - one line a role
        """Return what a name means where it stands; OUTSIDE among them when that is known not to be in the segment."""
        match use.role:
            case "import":
                return self._of_import(tree, path, use)
            case "keyword":
                return self._of_keyword(tree, path, use)
            case "definition":
                row = self.row_on(path, use.line, use.name)
                if row is not None:
                    return [_meaning(path, row)]
                if use.is_member:
                    return [self._of_place(tree, path, use, use.line, "property")]
        owner = tree.owner_of(use) if use.is_member else UNKNOWN
        if owner is not UNKNOWN:
            found = self.members_of_all(self.values(owner, tree, path), use.name)
            is_of_every_object = tree.language == "python" and use.name in _OF_EVERY_OBJECT
            return found or ([OUTSIDE] if is_of_every_object else [])
        if use.is_member and use.role != "definition":
            return []
        return self.of_name(use.name, use.start_byte, tree, path, at_line=use.line)

    def of_name(
        self, name: str, start_byte: int, tree: NameTree, path: str, *, at_line: int = 0, depth: int = 0
    ) -> list[Meaning]:
        """Return what a bare name means at a place."""
        if name in _SELF | _SUPER and tree.language != "python":
            found = [m for m in self._receiver(name, start_byte, tree, path) if m.kind != "outside"]
            if found:
                return [_meaning(m.path, m.row) for m in found]
        bindings = tree.bindings(name, start_byte)
        if bindings:
            found = []
            for binding in _nearest_first(bindings, start_byte, at_line):
                found += self._of_binding(binding, tree, path, depth)
            return list(dict.fromkeys(found))
        return self.of_global(path, name)

    def of_global(self, path: str, name: str) -> list[Meaning]:
        """Return what a dotted name means at the top level of a file, followed through its imports."""
        key = (path, name)
        known = self._globals.get(key)
        if known is None:
            self._globals[key] = []
            known = self._globals[key] = self._of_global(path, name)
        return known

    def _of_global(self, path: str, name: str) -> list[Meaning]:
        found: list[Meaning] = []
        for origin in origins_of(name, path, Lookups(self.imports, self._defines, self.modules)):
            reason: Reason = "same file" if origin.path == path else "import"
            found += [
                meaning if meaning.reason == "inherited" else meaning._replace(reason=reason)
                for meaning in self._at_origin(origin.path, origin.name)
            ]
        if found:
            return list(dict.fromkeys(found))
        first = name.partition(".")[0]
        taken_in_vain = dict.fromkeys(self._in_vain(t, path) for t in self.imports(path) if t.alias == first)
        if taken_in_vain:
            return list(taken_in_vain)
        return [OUTSIDE] if is_builtin(first, (self.modules.language_of(path),)) else []

    def _at_origin(self, path: str, name: str) -> list[Meaning]:
        if not name:
            return [self.module(path)]
        first, *rest = name.split(".")
        rows = [row for row in self.rows(path) if row.name == first and self._is_top(path, row)]
        rows = self._overloads_last(path, [row for row in rows if row.kind != "method"] or rows)
        found = [_meaning(path, row) for row in rows if row.kind != "impl"] or [_meaning(path, row) for row in rows]
        if not found:
            tree = self.read_tree(path)
            bindings = tree.bindings(first, -1) if tree is not None else ()
            if tree is not None:
                found = [
                    self._of_place(tree, path, b.use, b.end_line, "variable")
                    for b in bindings
                    if b.use.role != "import"
                ]
        for part in rest:
            found = self.members_of_all(found, part)
        return found

    def _defines(self, path: str, name: str) -> bool:
        # A method of Go stands at the top level of its file and is no name there.
        return any(row.name == name and row.kind != "method" and self._is_top(path, row) for row in self.rows(path))

    def _is_top(self, path: str, row: DefinitionRow) -> bool:
        rows = self.rows(path)
        while row.parent >= 0:
            row = rows[row.parent]
            if row.kind not in ("namespace", "module"):
                return False
        return True

    def module(self, path: str) -> Meaning:
        """Return what stands for a file as a module."""
        name = self.modules.module_of(path, self.modules.language_of(path))
        row = _MODULE_ROW._replace(name=name.rpartition(".")[2], qualname=name)
        return Meaning("module", path, row, "import")

    def _of_binding(self, binding: Binding, tree: NameTree, path: str, depth: int) -> list[Meaning]:
        use = binding.use
        if use.role == "import":
            return self._of_import(tree, path, use) if depth < DEPTH_MAX else []
        if use.role == "variable" and binding.scope == "module" and self._is_required(path, use.name):
            return self.of_global(path, use.name) or [self._of_place(tree, path, use, binding.end_line, "variable")]
        row = self.row_on(path, use.line, use.name)
        if row is not None and use.role != "parameter":
            reason: Reason = "local scope" if binding.scope in ("function", "block") else "same file"
            return [_meaning(path, row, reason)]
        kind = use.role if use.role in ("parameter", "variable") else "function"
        return [self._of_place(tree, path, use, binding.end_line, kind, is_local=binding.scope != "module")]

    def _is_required(self, path: str, name: str) -> bool:
        """Tell whether a variable is what ECMAScript's `require` or Ruby's autoload binds."""
        return self.modules.language_of(path) != "python" and any(t.alias == name for t in self.imports(path))

    def _of_place(
        self, tree: NameTree, path: str, use: NameUse, end_line: int, kind: str, *, is_local: bool = False
    ) -> Meaning:
        """Return a place that the index keeps no definition of: a local, a parameter, an attribute."""
        around = self.around(path, use.line, FUNCTION_KINDS | CONTAINER_KINDS)
        qualname = f"{around.qualname}.{use.name}" if around is not None else use.name
        text = truncated(" ".join(tree.line_text(use.line).split()), _LINE_CHARS_MAX)
        row = DefinitionRow(kind, use.name, qualname, text, "", use.line, end_line, use.line, use.column, NOT_STORED)
        return Meaning("definition", path, row, "local scope" if is_local else "same file")

    # ------------------------------------------------------------------ imports and keywords

    def _of_import(self, tree: NameTree, path: str, use: NameUse) -> list[Meaning]:
        spot = tree.import_at(use)
        if spot is None:
            return []
        language = self.modules.language_of(path)
        if spot.module and language == "python":
            files = self.modules.files_of(spot.module, language, path)
            return [self.module(files[0]) if files else self._in_vain(ImportedName(spot.module, "", ""), path)]
        found: list[Meaning] = []
        vain = OUTSIDE
        is_known = False
        for taken in parse_import(language, spot.text):
            last = taken.module.replace("::", ".").replace("\\", ".").rpartition(".")[2]
            if use.name not in (taken.alias, taken.name) and not (not taken.name and last == use.name):
                continue
            is_known = True
            found += self._through(taken, path)
            vain = vain if found else self._in_vain(taken, path)
            break
        if not found and not is_known and spot.module:
            files = self.modules.files_of(spot.module, language, path)
            found = [self.module(files[0])] if files else []
        return found or [vain]

    def _in_vain(self, taken: ImportedName, path: str) -> Meaning:
        """Return what an import that leads to no definition binds: from outside, or not to be found in the segment."""
        language = self.modules.language_of(path)
        files = self.modules.files_of(taken.module, language, path)
        if not files:
            if not self.modules.must_be_inside(taken.module, language, path):
                return OUTSIDE
            last = taken.name if not taken.module.strip(".") else ""  # `from . import x` wants the module `.x`
            return OUTSIDE._replace(sought=f"no indexed file is the module {taken.module}{last}")
        return self._not_handed_on(taken, files[0], path) if taken.name else OUTSIDE

    def _not_handed_on(self, taken: ImportedName, module_path: str, path: str) -> Meaning:
        """Return what an import binds whose module is in the segment and does not have the name."""
        if self._vain_hops >= HOPS_MAX:
            return OUTSIDE._replace(sought=f"its imports are followed no further than {path}")
        self._vain_hops += 1
        beyond = next((m for m in self.of_global(module_path, taken.name) if m.kind == "outside"), None)
        self._vain_hops -= 1
        if beyond is not None:
            return beyond
        for other in self.imports(module_path):
            if other.name == ALL_NAMES and not self.modules.files_of(
                other.module, self.modules.language_of(module_path), module_path
            ):
                return self._in_vain(other._replace(name=""), module_path)  # it may be in all that is brought in there
        return OUTSIDE._replace(sought=f"the module {taken.module} has no {taken.name}")

    def _through(self, taken: ImportedName, path: str) -> list[Meaning]:
        """Return what one import takes, whatever else the file binds under the name."""
        alias = taken.alias or taken.name
        if not alias:
            files = self.modules.files_of(taken.module, self.modules.language_of(path), path)
            return [self.module(files[0])] if files else []
        only = taken._replace(alias=alias)
        lookups = Lookups(
            lambda of: (only,) if of == path else self.imports(of),
            lambda of, name: of != path and self._defines(of, name),
            self.modules,
        )
        found: list[Meaning] = []
        for origin in origins_of(alias, path, lookups):
            found += self._at_origin(origin.path, origin.name)
        return [meaning._replace(reason="import") for meaning in dict.fromkeys(found)]

    def _of_keyword(self, tree: NameTree, path: str, use: NameUse) -> list[Meaning]:
        found: list[Meaning] = []
        called = self.values(tree.called_with(use), tree, path)
        for meaning in called:
            functions = [meaning]
            if meaning.kind == "class":
                functions = [m for name in ("__init__", "__new__") for m in self.members(meaning, name)]
            elif meaning.kind == "instance":
                functions = self.members(meaning, "__call__")
            for function in functions:
                found += self._parameter(function, use.name)
            if not found and meaning.kind == "class":
                found += self.members(meaning, use.name)  # a dataclass names its parameters after its fields
            found = [m for m in found if m.kind != "outside"]
            if not found or meaning.kind == "class":
                found += [f._replace(reason="member") for f in functions if self._takes_any_keyword(f)]
            if found:
                break
        return found or [m for m in called if m.kind == "outside"][:1]

    def _parameter(self, function: Meaning, name: str) -> list[Meaning]:
        tree = self.read_tree(function.path) if function.row.kind in FUNCTION_KINDS else None
        if tree is None:
            return []
        for use in tree.uses_of(name):
            if use.role == "parameter" and function.row.start_line <= use.line <= function.row.end_line:
                return [self._of_place(tree, function.path, use, use.line, "parameter")._replace(reason="import")]
        return []

    def _takes_any_keyword(self, function: Meaning) -> bool:
        tree = self.read_tree(function.path) if function.row.kind in FUNCTION_KINDS else None
        return tree is not None and tree.takes_any_keyword(function.row.name_line)

    # ------------------------------------------------------------------ values

    def values(self, expression: Expression, tree: NameTree, path: str, depth: int = 0) -> list[Meaning]:
        """Return what an expression may be: classes, objects of them, modules; empty for what is not known."""
        if depth > DEPTH_MAX or expression is UNKNOWN:
            return []
        if self.is_late():
            self.was_late = True
            return []
        key = (path, expression)
        known = self._values.get(key)
        if known is None:
            self._values[key] = []  # what a value made from itself comes back to
            known = self._values[key] = self._values_of(expression, tree, path, depth)
        return known

    def _values_of(  # noqa: PLR0911 - one line a case
        self, expression: Expression, tree: NameTree, path: str, depth: int
    ) -> list[Meaning]:
        match expression:
            case NameExpression(name, start_byte):
                return self._name_values(name, start_byte, tree, path, depth)
            case AttributeExpression(owner, name):
                found = self.members_of_all(self.values(owner, tree, path, depth + 1), name, depth + 1)
                return self._held_by(found, depth)
            case CallExpression(function):
                return self._results(function, tree, path, depth)
            case ChoiceExpression(options):
                found = [m for option in options for m in self.values(option, tree, path, depth + 1)]
                return [m for m in found if m.kind != "outside"] or found[:1]
            case ItemExpression(owner):
                return self._items(self.values(owner, tree, path, depth + 1))
            case CollectionExpression(element):
                held = self._objects(self.values(element, tree, path, depth + 1))
                return [m._replace(kind="collection") for m in held if m.kind == "instance"] or [OUTSIDE]
            case LiteralExpression():
                return [OUTSIDE]
        return []

    def _name_values(self, name: str, start_byte: int, tree: NameTree, path: str, depth: int) -> list[Meaning]:
        receiver = self._receiver(name, start_byte, tree, path)
        if receiver:
            return receiver
        bindings = tree.bindings(name, start_byte)
        if not bindings:
            return self._held_by(self.of_global(path, name), depth)
        outside: list[Meaning] = []
        for binding in _nearest_first(bindings, start_byte, 0):
            found = self._binding_values(binding, tree, path, depth)
            known = [meaning for meaning in found if meaning.kind != "outside"]
            if known:
                return known
            outside += found
        return outside[:1]

    def _binding_values(self, binding: Binding, tree: NameTree, path: str, depth: int) -> list[Meaning]:
        if binding.is_receiver:
            return self._of_receiver_parameter(binding, path)
        if binding.annotation is not UNKNOWN:
            declared = self._objects(self.values(binding.annotation, tree, path, depth + 1))
            if declared:
                return declared
        if binding.use.role in ("variable", "parameter"):
            if binding.scope == "module" and self._is_required(path, binding.use.name):
                return self._held_by(self.of_global(path, binding.use.name), depth)
            return self.values(binding.value, tree, path, depth + 1) if binding.value is not UNKNOWN else []
        return self._held_by(self._of_binding(binding, tree, path, depth + 1), depth)

    def _of_receiver_parameter(self, binding: Binding, path: str) -> list[Meaning]:
        around = self.around(path, binding.use.line, _TYPES)
        if around is None:
            return []
        kind: Literal["class", "instance"] = "class" if binding.use.name in ("cls", "mcs", "klass") else "instance"
        return [Meaning(kind, path, around)]

    def _receiver(self, name: str, start_byte: int, tree: NameTree, path: str) -> list[Meaning]:
        """Return the object that a language's own word for it means."""
        language = self.modules.language_of(path)
        if name not in _SELF | _SUPER or (language == "python" and name != "super"):
            return []
        line = tree.line_of(start_byte)
        around = self.around(path, line, CLASS_KINDS) or self._assigned_owner(path, line, language)
        if around is None:
            return []
        return [Meaning("instance", path, around, is_super=name in _SUPER)]

    def _assigned_owner(self, path: str, line: int, language: str) -> DefinitionRow | None:
        """Return what stands for the object that ECMAScript's function is assigned to (`app.use = function …`)."""
        function = self.around(path, line, FUNCTION_KINDS) if language in _ECMASCRIPT else None
        if function is None or "." not in function.qualname:
            return None
        owner = function.qualname.rpartition(".")[0]
        return function._replace(kind="object", name=owner.rpartition(".")[2], qualname=owner)

    def _held_by(self, meanings: Sequence[Meaning], depth: int) -> list[Meaning]:
        """Return what definitions stand for when they are used: a constant its value, a class itself."""
        found: list[Meaning] = []
        for meaning in meanings:
            row = meaning.row
            if meaning.kind != "definition" or row.kind in FUNCTION_KINDS:
                found.append(meaning)
                continue
            tree = self.read_tree(meaning.path) if depth < DEPTH_MAX else None
            if tree is None:
                continue
            use = tree.at(row.name_line, row.name_column)
            if use is None:
                continue
            value, annotation = tree.value_at(use)
            held = self._objects(self.values(annotation, tree, meaning.path, depth + 1))
            found += held or self.values(value, tree, meaning.path, depth + 1)
        return list(dict.fromkeys(found))

    @staticmethod
    def _items(meanings: Sequence[Meaning]) -> list[Meaning]:
        """Return what collections give back; a class with an index is a generic one and stays itself."""
        held = [m._replace(kind="instance") for m in meanings if m.kind == "collection"]
        return held or [m for m in meanings if m.kind == "class"]

    @staticmethod
    def _objects(meanings: Sequence[Meaning]) -> list[Meaning]:
        return [m._replace(kind="instance") if m.kind == "class" else m for m in meanings if m.kind != "module"]

    def _results(self, function: Expression, tree: NameTree, path: str, depth: int) -> list[Meaning]:
        """Return what a call gives."""
        receivers: list[Meaning] = []
        if isinstance(function, AttributeExpression):
            receivers = self.values(function.owner, tree, path, depth + 1)
            called = self.members_of_all(receivers, function.name, depth + 1)
            called = self._held_by(called, depth + 1)
        else:
            if isinstance(function, NameExpression) and function.name == "super":
                return self._python_super(function, tree, path)
            called = self.values(function, tree, path, depth + 1)
        found: list[Meaning] = []
        for meaning in called[:4]:
            if meaning.kind == "class":
                found.append(meaning._replace(kind="instance"))
            elif meaning.kind == "outside":
                # An object of a class from outside; what else a call out there gives back may well be one of ours.
                if _names_class(function):
                    found.append(meaning)
            elif meaning.kind == "definition" and meaning.row.kind in FUNCTION_KINDS:
                returned = self._returned(meaning, receivers, depth)
                is_made = not returned and self.modules.language_of(meaning.path) in _ECMASCRIPT
                found += [meaning._replace(kind="instance")] if is_made and _names_class(function) else returned
            elif meaning.kind == "instance":
                for call in self.members(meaning, "__call__"):
                    found += self._returned(call, [meaning], depth)
        return list(dict.fromkeys(found))

    def _python_super(self, function: NameExpression, tree: NameTree, path: str) -> list[Meaning]:
        around = self.around(path, tree.line_of(function.start_byte), CLASS_KINDS)
        return [Meaning("instance", path, around, is_super=True)] if around is not None else []

    def _returned(self, function: Meaning, receivers: Sequence[Meaning], depth: int) -> list[Meaning]:
        tree = self.read_tree(function.path)
        if tree is None or depth >= DEPTH_MAX - 2:
            return []
        expressions, is_declared = tree.returns_of(function.row.name_line)
        owner = self.around(function.path, function.row.name_line, CLASS_KINDS)
        found: list[Meaning] = []
        for expression in expressions:
            if isinstance(expression, NameExpression) and expression.name == "Self":
                found += [r._replace(kind="instance", is_super=False) for r in receivers]
                continue
            given = self.values(expression, tree, function.path, depth + 3)
            found += self._objects(given) if is_declared else given
        # A method that gives its own object back gives that of the class it was called on.
        own = [r for r in receivers if r.kind in ("instance", "class")]
        return [
            own[0]._replace(kind=m.kind, is_super=False)
            if own and owner is not None and m.row == owner and m.path == function.path
            else m
            for m in found
        ]

    # ------------------------------------------------------------------ members

    def members_of_all(self, owners: Sequence[Meaning], name: str, depth: int = 0) -> list[Meaning]:
        """Return the members of that name of what an expression may be; OUTSIDE when all of it is outside."""
        found: list[Meaning] = []
        for owner in owners:
            found += self.members(owner, name, depth)
        known = [m for m in dict.fromkeys(found) if m.kind != "outside"]
        return known or found[:1]

    def members(self, owner: Meaning, name: str, depth: int = 0) -> list[Meaning]:
        """Return the definitions of `owner.name`."""
        if owner.kind in ("outside", "collection"):
            return [owner if owner.kind == "outside" else OUTSIDE]
        if owner.kind == "module":
            return self._of_module(owner, name)
        if owner.kind == "definition":
            return []
        key = (owner.path, owner.row.qualname, owner.row.start_line, name, owner.is_super)
        known = self._members.get(key)
        if known is None:
            self._members[key] = []
            known = self._members[key] = self._of_class(owner, name, depth)
        return known

    def _of_module(self, owner: Meaning, name: str) -> list[Meaning]:
        language = self.modules.language_of(owner.path)
        found = self.of_global(owner.path, name)
        known = [m._replace(reason="import") for m in found if m.kind != "outside"]
        if not known and language == "python":
            files = self.modules.files_of(f"{owner.row.qualname}.{name}", language, owner.path)
            known = [self.module(path) for path in files[:1]]
        if not known:
            known = self._at_origin(owner.path, name)
        for other in self.modules.siblings_of(owner.path, language) if not known else ():
            if self._defines(other, name):
                return [m._replace(reason="import") for m in self._at_origin(other, name)]
        return known or found

    def _of_class(self, owner: Meaning, name: str, depth: int) -> list[Meaning]:
        order = self.order(owner, depth)
        outside: list[Meaning] = []
        assigned: list[Meaning] = []
        for place, cls in enumerate(order):
            if cls.kind == "outside":
                outside.append(cls)
                continue
            if owner.is_super and place == 0:
                continue
            reason: Reason = "member" if place == 0 else "inherited"
            found = [m._replace(reason=reason) for m in self._own_members(cls, name)]
            if found and not assigned and not all(self._is_assigned(m) for m in found):
                return found
            if assigned and any(self._is_declared(m) for m in found):
                return [*found, *assigned]  # what a base declares is what a subclass assigns
            assigned = assigned or found
        return assigned or outside[:1]

    def _is_assigned(self, member: Meaning) -> bool:
        """Tell whether a member is only assigned somewhere (`self.x = 1`), without a type."""
        if member.row.parent != NOT_STORED:
            return False
        tree = self.read_tree(member.path)
        use = tree.at(member.row.name_line, member.row.name_column) if tree is not None else None
        return use is not None and tree is not None and tree.value_at(use)[1] is UNKNOWN

    def _is_declared(self, member: Meaning) -> bool:
        """Tell whether a member is a function, a class, or has a type."""
        if member.row.kind in FUNCTION_KINDS | CLASS_KINDS:
            return True
        if member.row.parent == NOT_STORED:
            return not self._is_assigned(member)
        return _ANNOTATED.match(member.row.signature) is not None

    def _own_members(self, cls: Meaning, name: str) -> list[Meaning]:
        wanted = f"{cls.row.qualname}.{name}"
        places = (cls.path, *self.modules.siblings_of(cls.path, self.modules.language_of(cls.path)))
        for path in places:
            rows = [row for row in self.rows(path) if row.qualname == wanted]
            inside = [row for row in rows if cls.row.start_line <= row.start_line <= cls.row.end_line] or rows
            if inside:
                return [_meaning(path, row) for row in self._overloads_last(path, inside)]
        return self._undeclared_members(cls, name)

    def _overloads_last(self, path: str, rows: list[DefinitionRow]) -> list[DefinitionRow]:
        """Return definitions of one name with Python's overloads, which only declare, behind what they declare."""
        tree = self.read_tree(path) if len(rows) > 1 and self.modules.language_of(path) == "python" else None
        if tree is None:
            return rows
        heads = {row: "".join(map(tree.line_text, range(row.start_line, row.name_line))) for row in rows}
        return sorted(rows, key=lambda row: "overload" in heads[row])

    def _undeclared_members(self, cls: Meaning, name: str) -> list[Meaning]:
        """Return the fields and assigned attributes of a class: the index keeps functions and constants only."""
        tree = self.read_tree(cls.path)
        if tree is None:
            return []
        # A Rust impl block and its struct are one class.
        parts = {row for row in self.rows(cls.path) if row.qualname == cls.row.qualname and row.kind in CLASS_KINDS}
        found = []
        for use in tree.uses_of(name):
            if self.around(cls.path, use.line, CLASS_KINDS | {cls.row.kind}) not in parts | {cls.row}:
                continue
            is_assigned = use.role == "write" and use.is_member and self._is_own(tree.owner_of(use), cls.path)
            is_declared = use.role in ("definition", "variable") and self._is_directly_in(tree, use)
            if is_assigned or is_declared:
                place = self._of_place(tree, cls.path, use, use.line, "property")
                found.append(place._replace(row=place.row._replace(qualname=f"{cls.row.qualname}.{name}")))
        return found

    def _is_own(self, owner: Expression, path: str) -> bool:
        own = ("self", "cls") if self.modules.language_of(path) == "python" else ("this", "self", "$this")
        return isinstance(owner, NameExpression) and owner.name in own

    def _is_directly_in(self, tree: NameTree, use: NameUse) -> bool:
        bindings = () if use.is_member else tree.bindings(use.name, use.start_byte)
        return use.is_member or any(b.scope == "class" and b.use == use for b in bindings)

    def order(self, cls: Meaning, depth: int = 0) -> list[Meaning]:
        """Return a class and its bases in the order members are looked for (C3, where that exists).

        Source of the rule: "The Python 2.3 Method Resolution Order". OUTSIDE stands for bases that are not in the
        segment.
        """
        key = (cls.path, cls.row.qualname, cls.row.start_line)
        known = self._orders.get(key)
        if known is None:
            own = Meaning("class", cls.path, cls.row)
            self._orders[key] = [own]  # what a cycle of bases comes back to
            bases = self._bases(own, depth)
            lists = [self.order(base, depth + 1) if base.kind == "class" else [base] for base in bases]
            known = self._orders[key] = [own, *_merged([*lists, bases])][:BASES_MAX]
        return known

    def _bases(self, cls: Meaning, depth: int) -> list[Meaning]:
        if depth > DEPTH_MAX or not self.is_late():
            tree = self.read_tree(cls.path)
        else:
            self.was_late = True
            tree = None
        if tree is None:
            return []
        found: list[Meaning] = []
        for expression in tree.bases_of(cls.row.name_line):
            values = [m for m in self.values(expression, tree, cls.path, 2) if m.kind in ("class", "outside")]
            found += values[:1] or [OUTSIDE]
        return [m for m in dict.fromkeys(found) if m.row != cls.row or m.path != cls.path]


def is_builtin(name: str, languages: Iterable[str]) -> bool:
    """Tell whether the first of the languages whose built-in names are known has this one."""
    return name in next((_BUILTINS[language] for language in languages if language in _BUILTINS), ())


def _merged(lists: list[list[Meaning]]) -> list[Meaning]:
    """Merge the orders of bases as C3 does; where they contradict one another, as they come."""
    plain = [[m._replace(reason="exact") for m in one] for one in lists if one]
    result: list[Meaning] = []
    while plain:
        for one in plain:
            head = one[0]
            if not any(head in other[1:] for other in plain):
                break
        else:
            head = plain[0][0]
        result.append(head)
        plain = [[m for m in one if m != head] for one in plain]
        plain = [one for one in plain if one]
    return result


def _names_class(expression: Expression) -> bool:
    """Tell whether what is called is a class by its name, or one of Python's built-in ones."""
    if not isinstance(expression, (NameExpression, AttributeExpression)):
        return False
    return expression.name[:1].isupper() or isinstance(getattr(builtins, expression.name, None), type)


def _meaning(path: str, row: DefinitionRow, reason: Reason = "exact") -> Meaning:
    return Meaning("class" if row.kind in _TYPES else "definition", path, row, reason)


def _kind_of_place(use: NameUse) -> str:
    if use.role in ("parameter", "import"):
        return use.role
    return "property" if use.is_member else "variable"


def _nearest_first(bindings: Sequence[Binding], start_byte: int, at_line: int) -> list[Binding]:
    """Return the bindings that come before a place, the nearest first, then those after it."""
    own = [b for b in bindings if b.use.start_byte == start_byte and at_line]
    before = [b for b in bindings if b.use.start_byte < start_byte]
    after = [b for b in bindings if b.use.start_byte >= start_byte and b not in own]
    return [*own, *reversed(before), *after]
