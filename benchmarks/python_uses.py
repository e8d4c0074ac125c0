"""Uses of names in Python source, each with its stratum: what a language server and ctx are both asked about.

A use is an identifier in code that refers to something: no definition's own name, no assignment's target, no keyword,
nothing in a string or a comment (what an f-string interpolates is code). `self` and `cls` themselves are left out,
they are a third of all parameters read and say nothing, and so are names like `__file__`, which no line defines.
"""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import tree_sitter_python
from tree_sitter import Language, Parser

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

MODULE_PATH = "module in an import"
IMPORTED = "imported name"
MODULE_LEVEL = "name of the module"
LOCAL = "local variable or parameter"
CALL = "call of a plain name"
SELF_ATTRIBUTE = "attribute on self or cls"
MODULE_ATTRIBUTE = "attribute on a module"
OTHER_ATTRIBUTE = "attribute on another receiver"
BASE = "class base"
ANNOTATION = "type annotation"
DECORATOR = "decorator"
KEYWORD = "keyword argument"
STRATA = (
    MODULE_PATH,
    IMPORTED,
    CALL,
    MODULE_LEVEL,
    LOCAL,
    SELF_ATTRIBUTE,
    MODULE_ATTRIBUTE,
    OTHER_ATTRIBUTE,
    BASE,
    ANNOTATION,
    DECORATOR,
    KEYWORD,
)
"""Where a use stands wins over what it is: a base, an annotation or a decorator may be a name or an attribute. A local
that is called is a local, an imported name that is called is a call."""
ATTRIBUTES = frozenset({SELF_ATTRIBUTE, MODULE_ATTRIBUTE, OTHER_ATTRIBUTE})

_TARGET = "target"
_CALLEE = "callee"
_PLAIN = ""
_BINDING_FIELDS = {
    "assignment": "left",
    "augmented_assignment": "left",
    "for_statement": "left",
    "for_in_clause": "left",
    "named_expression": "name",
    "as_pattern": "alias",
}
_TARGET_SHAPES = frozenset(
    {"pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "dictionary_splat_pattern"}
    | {"as_pattern_target", "tuple", "list", "parenthesized_expression", "expression_list"}
)
_ANNOTATION_SHAPES = frozenset(
    {"type", "generic_type", "union_type", "member_type", "constrained_type", "splat_type", "type_parameter"}
    | {"binary_operator", "subscript", "tuple", "list", "expression_list", "parenthesized_expression"}
)
_SKIPPED = frozenset(
    {"ERROR", "comment", "case_pattern", "global_statement", "nonlocal_statement", "future_import_statement"}
    | {"delete_statement", "type_alias_statement"}
)
_PARAMETER_LISTS = frozenset({"parameters", "lambda_parameters", "typed_parameter"})
_PARAMETER_DEFAULTS = frozenset({"default_parameter", "typed_default_parameter"})


class Use(NamedTuple):
    """One use; line and column count from 1, the column in characters."""

    path: str
    line: int
    column: int
    name: str
    stratum: str


class _Scope(NamedTuple):
    """What names mean at a place: those of the functions around it, and what its method calls its object."""

    local: frozenset[str] = frozenset()
    receiver: str = ""
    is_class_body: bool = False


def sample(tree: Path, per_stratum: int, seed: int) -> tuple[list[Use], Counter[str]]:
    """Draw up to that many uses of each stratum, evenly over all uses of a tree; also how many there are of each."""
    chance = random.Random(seed)
    seen: Counter[str] = Counter()
    drawn: dict[str, list[Use]] = defaultdict(list)
    modules = modules_of(tree)
    for path in python_files(tree):
        for use in uses_in((tree / path).read_bytes(), path, modules):
            seen[use.stratum] += 1
            kept = drawn[use.stratum]
            if len(kept) < per_stratum:
                kept.append(use)
            elif (at := chance.randrange(seen[use.stratum])) < per_stratum:
                kept[at] = use
    return sorted(use for kept in drawn.values() for use in kept), seen


def python_files(tree: Path) -> list[str]:
    """Return the .py files of a tree relative to it, sorted; hidden folders and `_ctx` are left out."""
    found = []
    for folder, names, files in os.walk(tree):
        names[:] = sorted(name for name in names if not name.startswith((".", "_ctx")) and name != "__pycache__")
        inside = Path(folder).relative_to(tree)
        found += [(inside / name).as_posix() for name in files if name.endswith(".py")]
    return sorted(found)


def modules_of(tree: Path) -> frozenset[str]:
    """Return the dotted names of a tree's modules and packages, `src/` being no part of them."""
    names = set()
    for path in python_files(tree):
        dotted = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        names.add(dotted.removeprefix("src."))
    return frozenset(names)


def uses_in(source: bytes, path: str, modules: frozenset[str]) -> Iterator[Use]:
    """Yield the uses of one file; one that is not UTF-8 has none."""
    try:
        source.decode()
    except UnicodeDecodeError:
        return
    root = Parser(Language(tree_sitter_python.language())).parse(source).root_node
    lines = source.split(b"\n")
    imported = _imports(root, path, modules)
    for node, stratum in _walk(root, imported):
        row, byte_column = node.start_point
        column = len(lines[row][:byte_column].decode()) + 1
        yield Use(path, row + 1, column, _text(node), stratum)


def _walk(root: Node, imported: dict[str, bool]) -> Iterator[tuple[Node, str]]:
    """Yield identifiers and their strata. A stack, not recursion: sums of a thousand terms nest as deep."""
    todo: list[tuple[Node, str, _Scope]] = [(root, _PLAIN, _Scope())]
    while todo:
        node, role, scope = todo.pop()
        kind = node.type
        if kind in _SKIPPED:
            continue
        if kind == "identifier":
            stratum = _stratum_of_name(_text(node), role, scope, imported)
            if stratum:
                yield node, stratum
        elif kind == "attribute":
            receiver, name = node.child_by_field_name("object"), node.child_by_field_name("attribute")
            if receiver is not None and name is not None:
                todo.append((receiver, _PLAIN, scope))
                if role != _TARGET:
                    yield name, _stratum_of_attribute(receiver, role, scope, imported)
        elif kind == "keyword_argument":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None:
                todo.append((value, _PLAIN, scope))
                if role != BASE:
                    yield name, KEYWORD
        elif kind in ("import_statement", "import_from_statement"):
            yield from _uses_of_import(node)
        else:
            todo += _children(node, kind, role, scope)


def _children(node: Node, kind: str, role: str, scope: _Scope) -> Iterator[tuple[Node, str, _Scope]]:
    """Yield what to look at below a node, and as what."""
    inner = scope
    if kind in ("function_definition", "lambda"):
        inner = _function_scope(node, scope)
    elif kind == "class_definition":
        inner = _Scope(scope.local, is_class_body=True)
    elif kind in ("list_comprehension", "set_comprehension", "dictionary_comprehension", "generator_expression"):
        scope = scope._replace(local=scope.local | _bound_in(node))
    for at, child in enumerate(node.children):
        if not child.is_named:
            continue
        field = node.field_name_for_child(at) or ""
        if kind in ("function_definition", "class_definition") and field in ("name", "type_parameters"):
            continue
        if field == "body":
            yield child, _PLAIN, inner
        elif kind == "lambda" and field == "parameters":
            yield child, _TARGET, scope
        else:
            yield child, _role_of_child(kind, field, child.type, role), scope


def _role_of_child(kind: str, field: str, child_kind: str, role: str) -> str:
    """Return as what a child stands below a node that stands as `role`."""
    is_bound = (
        _BINDING_FIELDS.get(kind) == field
        or child_kind == "as_pattern_target"
        or (kind in _PARAMETER_DEFAULTS and field == "name")
        or kind in _PARAMETER_LISTS
    )
    if field in ("type", "return_type") and child_kind == "type":
        return ANNOTATION
    if is_bound:
        return _TARGET
    if kind == "class_definition" and field == "superclasses":
        return BASE
    if kind == "decorator":
        return DECORATOR
    if kind == "call" and field == "function":
        return role if role == DECORATOR else _CALLEE
    keeps = (
        (role == _TARGET and kind in _TARGET_SHAPES)
        or (role == ANNOTATION and kind in _ANNOTATION_SHAPES)
        or (role == BASE and kind == "argument_list")
        or (role == BASE and kind == "subscript" and field == "value")
    )
    return role if keeps else _PLAIN


def _stratum_of_name(name: str, role: str, scope: _Scope, imported: dict[str, bool]) -> str:
    if role == _TARGET or name in ("self", "cls") or (name.startswith("__") and name.endswith("__")):
        return ""
    if role in (BASE, ANNOTATION, DECORATOR):
        return role
    if name in scope.local:
        return LOCAL
    if role == _CALLEE:
        return CALL
    return IMPORTED if name in imported else MODULE_LEVEL


def _stratum_of_attribute(receiver: Node, role: str, scope: _Scope, imported: dict[str, bool]) -> str:
    if role in (BASE, ANNOTATION, DECORATOR):
        return role
    name = _text(receiver)
    if receiver.type == "identifier" and name and name == scope.receiver:
        return SELF_ATTRIBUTE
    is_module = imported.get(name, False) and name.split(".")[0] not in scope.local
    return MODULE_ATTRIBUTE if is_module else OTHER_ATTRIBUTE


def _function_scope(node: Node, around: _Scope) -> _Scope:
    """Return the scope of a function's body."""
    parameters = node.child_by_field_name("parameters")
    names = _parameter_names(parameters) if parameters is not None else []
    body = node.child_by_field_name("body")
    local = around.local | frozenset(names) | (_bound_in(body) if body is not None else frozenset())
    receiver = names[0] if around.is_class_body and names and names[0] in ("self", "cls") else around.receiver
    return _Scope(local, receiver)


def _parameter_names(parameters: Node) -> list[str]:
    names = []
    for parameter in parameters.named_children:
        named = parameter.child_by_field_name("name") or parameter
        while named.type != "identifier" and named.named_children:
            named = named.named_children[0]
        if named.type == "identifier":
            names.append(_text(named))
    return names


def _bound_in(body: Node) -> frozenset[str]:
    """Return the names bound in a function's body or a comprehension, not in what is nested in it."""
    names: set[str] = set()
    elsewhere: set[str] = set()
    todo = [body]
    while todo:
        node = todo.pop()
        kind = node.type
        if kind in ("global_statement", "nonlocal_statement"):
            elsewhere |= {_text(child) for child in node.named_children}
            continue
        if kind in ("function_definition", "class_definition", "lambda"):
            name = node.child_by_field_name("name")
            if name is not None:
                names.add(_text(name))
            continue
        field = _BINDING_FIELDS.get(kind)
        if field is not None:
            target = node.child_by_field_name(field)
            names |= _target_names(target) if target is not None else set()
        todo += [child for child in node.children if child.is_named]
    return frozenset(names - elsewhere)


def _target_names(target: Node) -> set[str]:
    if target.type == "identifier":
        return {_text(target)}
    if target.type not in _TARGET_SHAPES:
        return set()
    return {name for child in target.named_children for name in _target_names(child)}


def _uses_of_import(node: Node) -> Iterator[tuple[Node, str]]:
    module = node.child_by_field_name("module_name")
    if module is not None:
        yield from ((part, MODULE_PATH) for part in _dotted_parts(module))
    stratum = MODULE_PATH if module is None else IMPORTED
    for child in node.children_by_field_name("name"):
        named = child.child_by_field_name("name") if child.type == "aliased_import" else child
        if named is not None:
            yield from ((part, stratum) for part in _dotted_parts(named))


def _dotted_parts(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        if child.type == "identifier":
            yield child
        elif child.type == "dotted_name":
            yield from _dotted_parts(child)


def _imports(root: Node, path: str, modules: frozenset[str]) -> dict[str, bool]:
    """Return what a file's imports bind, and whether that is a module as far as the tree tells."""
    bound: dict[str, bool] = {}
    todo: list[Node] = [root]
    while todo:
        node = todo.pop()
        if node.type == "import_statement":
            for child in node.children_by_field_name("name"):
                alias = child.child_by_field_name("alias")
                if alias is not None:
                    bound[_text(alias)] = True
                    continue
                parts = _text(child).split(".")
                bound.update({".".join(parts[:count]): True for count in range(1, len(parts) + 1)})
        elif node.type == "import_from_statement":
            module = _absolute(_text(node.child_by_field_name("module_name")), path)
            for child in node.children_by_field_name("name"):
                named = child.child_by_field_name("name") if child.type == "aliased_import" else child
                binding = child.child_by_field_name("alias") or named
                bound[_text(binding)] = f"{module}.{_text(named)}" in modules
        elif node.type not in ("expression_statement", "decorator", "parameters", "argument_list"):
            todo += [child for child in node.children if child.is_named]
    return bound


def _absolute(module: str, path: str) -> str:
    """Return a from-import's module with its leading dots resolved against the importing file."""
    name = module.lstrip(".")
    dots = len(module) - len(name)
    if not dots:
        return name
    package = path.removeprefix("src/").split("/")[:-dots]
    return ".".join([*package, name] if name else package)


def _text(node: Node | None) -> str:
    return node.text.decode() if node is not None and node.text is not None else ""


def per_stratum(references: int, trees: Sequence[Path]) -> int:
    """Return how many uses of each stratum a sample of about that many takes from each tree."""
    return max(1, round(references / (len(STRATA) * len(trees))))
