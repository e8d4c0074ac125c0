"""What an import statement binds: its one-line text, as the index keeps it, taken apart in every language.

Owns the reading of statements. Which files a module's spelling means is `module_map`, who imports whom and where a
name comes from is `import_graph`. Statements are read with patterns, not parsed again: the text is what a grammar
has already found to be one import, with its line ends made spaces, and tens of thousands are read for one answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ALL_NAMES = "*"
"""The `name` of an import that takes everything a module hands on."""
DEFAULT_NAME = "default"
"""The `name` of what an ECMAScript module exports without one."""

_CUT_MARK = "…"
"""Stands where a statement was too long to be kept whole; what it touches may be half a name."""


class ImportedName(NamedTuple):
    """One thing an import statement binds or hands on.

    - `module` is spelled as the language does: `..pkg.mod`, `./x`, `net/http`, `a.b`, `crate::a::b`, `A\\B`. A header
      in angle brackets keeps them; what Ruby and PHP look for beside the file itself begins with `./` or `../`.
    - `name` is what is taken from it: "" for the module itself, `*` for all of it, `default` for an ECMAScript
      module's default export.
    - `alias` is the name it has in the importing file, "" when none is bound there by name (`*`, `#include`,
      `import './x'`). Python's `import a.b` binds `a`. Where the statement only hands the name on, as ECMAScript's
      `export … from` does, it is the name it is handed on by.
    - `is_export` tells whether the statement itself hands it on: `export … from`, `module.exports = require()`,
      `pub use`. In Python every name of a module can be imported from it, so it is False there.
    """

    module: str
    name: str
    alias: str
    is_export: bool = False


def parse_import(language: str, text: str) -> tuple[ImportedName, ...]:
    """Take an import statement apart; empty for a language without imports and for what says nothing whole.

    `text` is the statement on one line, as `index_records.ImportRow` has it: comments may be in it, and where it has
    an ellipsis it was cut, so the name there is left out. Never raises.
    """
    read = _READERS.get(language)
    return () if read is None else tuple(read(text))


_BLOCK_COMMENT = re.compile(r"/\*.*?(?:\*/|$)")
_WORDS_AT_END = re.compile(r"([\w$]+(?: as [\w$]+)?)$")


def _without_block_comments(text: str) -> str:
    return _BLOCK_COMMENT.sub(" ", text) if "/*" in text else text


def _items(listed: str, mark: str) -> list[str]:
    """Return the parts between commas, as far as they are whole, without comments that begin with `mark`.

    Where a comment ends is lost with its line's end, but it stands after a comma or a bracket and before a name: the
    name is the last word before the next comma. A comma inside a comment can make one of its words a name.
    """
    items = [item for item in listed.split(",") if _CUT_MARK not in item]
    if mark not in listed:
        return items
    names = []
    for item in items:
        before, is_commented, _ = item.partition(mark)
        found = None if before.strip() else _WORDS_AT_END.search(item.strip())
        names.append(found[1] if found is not None and is_commented else before)
    return names


def _last_part(path: str, separator: str) -> str:
    return path.rpartition(separator)[2]


_PYTHON_FROM = re.compile(r"from ?((?:\. ?)*)([\w.]*) ?\bimport\b ?(.*)")


def _python(text: str) -> Iterator[ImportedName]:
    if "\\" in text:
        text = text.replace("\\ ", "").replace("\\", "")
    found = _PYTHON_FROM.match(text)
    if found is not None:
        dots, rest, names = found.groups()
        module = (dots.replace(" ", "") if dots else "") + rest
        if not module:
            return
        for item in _items(names.strip("( )"), "#"):
            name, is_renamed, alias = item.strip().partition(" as ")
            name = name.rstrip()
            if name.isidentifier():
                yield ImportedName(module, name, alias.strip() if is_renamed else name)
            elif name == ALL_NAMES:
                yield ImportedName(module, ALL_NAMES, "")
    elif text.startswith("import "):
        for item in _items(text[7:], "#"):
            module, is_renamed, alias = item.strip().partition(" as ")
            module = module.replace(" ", "")
            top = module.partition(".")[0]
            if top.isidentifier() and not module.endswith("."):
                yield ImportedName(module, "", alias.strip() if is_renamed else top)


_QUOTED = re.compile(r"""(["'`])(.*?)\1""")
_ECMASCRIPT_FROM = re.compile(r"""(import|export)\b(.*)\bfrom ?(["'])([^"']+)\3""")
_ECMASCRIPT_BARE = re.compile(r"""import ?(["'])([^"']+)\1""")
_ECMASCRIPT_TYPE_ONLY = re.compile(r"(?:type|typeof|defer) ?(?=[\w${*])(?!from\b|as\b)")
_ECMASCRIPT_REQUIRE = re.compile(
    r"""(?:(?P<to>[\w$]+(?:\.[\w$]+)*|\{[^{}]*\})(?: ?:[^=;]{0,200})? ?= ?(?:await )?(?:[\w$.]+\( ?)?)?"""
    r"""\b(?:require|import) ?\( ?(?P<quote>["'`])(?P<module>[^"'`]+)(?P=quote) ?(?:,[^()]*)?\)"""
    r"""(?: ?\.(?P<member>[\w$]+)(?! ?\())?"""
)


def _ecmascript(text: str) -> Iterator[ImportedName]:
    text = _without_block_comments(text)
    found = _ECMASCRIPT_FROM.match(text)
    if found is not None:
        verb, clause, _, module = found.groups()
        yield from _ecmascript_clause(clause.strip(), module, verb == "export")
        return
    found = _ECMASCRIPT_BARE.match(text)
    if found is not None:
        yield ImportedName(found[2], "", "")
        return
    for required in _ECMASCRIPT_REQUIRE.finditer(text):
        yield from _ecmascript_required(required["to"] or "", required["module"], required["member"] or "")


def _ecmascript_clause(clause: str, module: str, is_export: bool) -> Iterator[ImportedName]:
    type_only = _ECMASCRIPT_TYPE_ONLY.match(clause)
    if type_only is not None and clause != type_only[0]:
        clause = clause[type_only.end() :]
    outer, _, braced = clause.partition("{")
    for item in outer.split(","):
        words = item.split()
        if not words:
            continue
        if words[0] == "*":
            yield ImportedName(
                module, "" if len(words) > 2 else ALL_NAMES, words[2] if len(words) > 2 else "", is_export
            )
        elif _is_ecmascript_name(words[-1]):
            yield ImportedName(module, DEFAULT_NAME, words[-1], is_export)
    for item in _items(braced.partition("}")[0], "//"):
        words = item.replace('"', "").replace("'", "").split()
        if words and words[0] in ("type", "typeof") and len(words) in (2, 4):
            del words[0]
        if len(words) == 1 and _is_ecmascript_name(words[0]):
            yield ImportedName(module, words[0], words[0], is_export)
        elif len(words) == 3 and words[1] == "as":
            yield ImportedName(module, words[0], words[2], is_export)


def _ecmascript_required(to: str, module: str, member: str) -> Iterator[ImportedName]:
    """Yield what `to = require(module).member` binds."""
    if to.startswith("{"):
        for item in _items(to[1:-1], "//"):
            name, is_renamed, alias = item.partition("=")[0].partition(":")
            name = name.strip()
            if _is_ecmascript_name(name):
                yield ImportedName(module, name, alias.strip() if is_renamed else name)
        return
    first, _, last = to.rpartition(".")
    if not to or (first and first not in ("module", "exports", "module.exports")):
        yield ImportedName(module, member, "")
    elif first == "module" and last == "exports":
        yield ImportedName(module, member or ALL_NAMES, "" if not member else DEFAULT_NAME, True)
    else:
        yield ImportedName(module, member, last, bool(first))


def _is_ecmascript_name(word: str) -> bool:
    return word.replace("$", "_").isidentifier()


_GO_SPEC = re.compile(r"""(?:import )?(?:\( ?)?(?:([\w.]+) ?)?(["`])([^"`\s]+)\2""")
_GO_MAJOR_VERSION = re.compile(r"v\d+")


def _go(text: str) -> Iterator[ImportedName]:
    found = _GO_SPEC.match(text)
    if found is None:
        return
    alias, _, module = found.groups()
    if alias == ".":
        yield ImportedName(module, ALL_NAMES, "")
    elif alias == "_":
        yield ImportedName(module, "", "")
    else:
        yield ImportedName(module, "", alias or _go_package_name(module))


def _go_package_name(module: str) -> str:
    """Return the name a Go package most likely has: the path's last part, without a major version."""
    parts = module.rstrip("/").split("/")
    if len(parts) > 1 and _GO_MAJOR_VERSION.fullmatch(parts[-1]):
        parts.pop()
    name = re.sub(r"\.v\d+$", "", parts[-1])
    return name.removeprefix("go-").removesuffix("-go").removesuffix(".go").rpartition("-")[2]


_RUST_USE = re.compile(r"(?:#\[.*?\] ?)*(pub(?: ?\([^)]*\))? )?use (.*)")
_RUST_EXTERN = re.compile(r"(?:#\[.*?\] ?)*(pub(?: ?\([^)]*\))? )?extern crate (\w+)(?: as (\w+))?")
_RUST_MOD = re.compile(r"(?:#\[.*?\] ?)*(pub(?: ?\([^)]*\))? )?mod (?:r#)?(\w+) ?;")
_RUST_COMMENT = re.compile(r"//[^,{}]* (?<! as )(?=[\w:*]+(?: as \w+)? ?[,{}]|[\w:]+::\{|\})")
_RUST_PIECE = re.compile(r"[\w:*#]+|[{},…]")


def _rust(text: str) -> Iterator[ImportedName]:
    text = _without_block_comments(text)
    found = _RUST_EXTERN.match(text)
    if found is not None:
        yield ImportedName(found[2], "", found[3] or found[2], bool(found[1]))
        return
    found = _RUST_MOD.match(text)
    if found is not None:
        yield ImportedName(f"self::{found[2]}", "", found[2], bool(found[1]))
        return
    found = _RUST_USE.match(text)
    if found is None:
        return
    tree = found[2]
    if "//" in tree:
        tree = _RUST_COMMENT.sub(" ", tree)
    # Which braces are open behind a cut is not known.
    whole = tree[: tree.index(_CUT_MARK) + 1] if _CUT_MARK in tree else tree
    yield from _rust_tree(_RUST_PIECE.findall(whole), bool(found[1]))


def _rust_tree(pieces: list[str], is_export: bool) -> Iterator[ImportedName]:
    """Yield the leaves of a use tree: `a::{b, c as d, e::*}`."""
    prefixes = [""]
    leaf = alias = ""
    for at, piece in enumerate(pieces):
        if piece == "as":
            alias = pieces[at + 1] if at + 1 < len(pieces) else ""
        elif piece == "{":
            prefixes.append(prefixes[-1] + leaf)
            leaf = alias = ""
        elif piece in (",", "}", _CUT_MARK):
            if leaf and piece != _CUT_MARK:
                yield from _rust_leaf(prefixes[-1] + leaf, alias, is_export)
            leaf = alias = ""
            if piece == "}" and len(prefixes) > 1:
                prefixes.pop()
        elif not alias:
            leaf += piece
    if leaf:
        yield from _rust_leaf(prefixes[-1] + leaf, alias, is_export)


def _rust_leaf(path: str, alias: str, is_export: bool) -> Iterator[ImportedName]:
    module, _, name = path.removeprefix("::").replace("r#", "").rpartition("::")
    if name == "self" and module:
        module, name = module.rpartition("::")[::2]
    if not module:
        module, name = name, ""
    last = name or module
    if ALL_NAMES in (name, module):
        yield ImportedName(module, ALL_NAMES, "", is_export)
    elif last:
        yield ImportedName(module, name, "" if alias == "_" else alias or last, is_export)


_JAVA = re.compile(r"import (static )?([\w$. ]+?)(\. ?\*)? ?(?:;|$)")


def _java(text: str) -> Iterator[ImportedName]:
    found = _JAVA.match(_without_block_comments(text))
    if found is None:
        return
    path = found[2].replace(" ", "")
    if found[3]:
        yield ImportedName(path, ALL_NAMES, "")
        return
    module, _, name = path.rpartition(".")
    if module and name:
        yield ImportedName(module, name, name)


_INCLUDE = re.compile(r"""# ?(?:include|include_next|import) ?(?:"([^"]+)"|(<[^>]+>))""")


def _c(text: str) -> Iterator[ImportedName]:
    found = _INCLUDE.match(_without_block_comments(text))
    if found is not None:
        yield ImportedName(found[1] or found[2], ALL_NAMES, "")


_RUBY_CALL = re.compile(r"(require_relative|require|load|autoload)\b ?\(? ?(.*)")
_RUBY_AUTOLOAD = re.compile(r""":["']?(\w+)["']? ?, ?(.*)""")


def _ruby(text: str) -> Iterator[ImportedName]:
    found = _RUBY_CALL.match(text)
    if found is None:
        return
    verb, argument = found.groups()
    name, alias = ALL_NAMES, ""
    if verb == "autoload":
        constant = _RUBY_AUTOLOAD.match(argument)
        if constant is None:
            return
        name = alias = constant[1]
        argument = constant[2]
    literals = [literal for _, literal in _QUOTED.findall(argument)]
    if not literals:
        return
    if "__FILE__" in argument or "__dir__" in argument or "__FILE__" in literals[0]:
        module = _beside_this_file(
            "/".join(literals), is_from_file="__FILE__" in argument and "dirname" not in argument
        )
    elif verb == "require_relative":
        module = _beside_this_file(literals[0])
    else:
        module = literals[0]
    if module:
        yield ImportedName(module, name, alias)


def _beside_this_file(literal: str, *, is_from_file: bool = False) -> str:
    """Return a path beside the file as `./x` or `../x`; `is_from_file` drops the step out of the file."""
    path = re.sub(r"#\{[^{}]*\}", "", literal).lstrip("/")
    if is_from_file:
        path = path.removeprefix("../")
    return path if path.startswith(("./", "../")) or not path else f"./{path}"


_PHP_USE = re.compile(r"use (function |const )?([^;]*)")
_PHP_INCLUDE = re.compile(r"@? ?(?:include|require)(?:_once)?\b ?\(? ?(.*)")
_PHP_HERE = re.compile(r"__DIR__|dirname ?\( ?__FILE__ ?\)")


def _php(text: str) -> Iterator[ImportedName]:
    text = _without_block_comments(text)
    found = _PHP_USE.match(text)
    if found is not None:
        prefix, is_group, listed = found[2].partition("{")
        if not is_group:
            prefix, listed = "", found[2]
        for item in _items(listed.partition("}")[0], "//" if "//" in listed else "#"):
            path, _, alias = item.strip().partition(" as ")
            path = (prefix + path.removeprefix("function ").removeprefix("const ")).replace(" ", "").lstrip("\\")
            module, _, name = path.rpartition("\\")
            if name.isidentifier():
                yield ImportedName(module, name, alias.strip() or name)
        return
    found = _PHP_INCLUDE.match(text)
    literals = [literal for _, literal in _QUOTED.findall(found[1])] if found is not None else []
    if found is None or not literals:
        return
    path = "".join(literals)
    yield ImportedName(_beside_this_file(path) if _PHP_HERE.search(found[1]) else path, ALL_NAMES, "")


_CSHARP = re.compile(r"(?:global )?using (static )?(?:unsafe )?(?:(\w+) ?= ?)?(?:global ?:: ?)?([\w.: ]+)")


def _csharp(text: str) -> Iterator[ImportedName]:
    found = _CSHARP.match(_without_block_comments(text))
    if found is None:
        return
    path = found[3].replace(" ", "").replace("::", ".")
    if found[2]:
        module, _, name = path.rpartition(".")
        yield ImportedName(module or name, name if module else "", found[2])
    elif path.strip("."):
        yield ImportedName(path, ALL_NAMES, "")


_BASH_SOURCE = re.compile(r"""(?:\w+=\S* )*(?:builtin |command )?(?:source|\.|load) (?:-- )?(.+)""")
_BASH_WORD = re.compile(r"""(?:"(?:\\.|\$\([^()]*\)|[^"\\])*"|'[^']*'|\$\([^()]*\)|\\.|[^\s"';&|<>()])+""")


def _bash(text: str) -> Iterator[ImportedName]:
    found = _BASH_SOURCE.match(text)
    word = _BASH_WORD.match(found[1]) if found is not None else None
    if word is None:
        return
    module = word[0].replace('"', "").replace("'", "")
    if module:
        yield ImportedName(module, ALL_NAMES, "")


_READERS: dict[str, Callable[[str], Iterator[ImportedName]]] = {
    "python": _python,
    "javascript": _ecmascript,
    "typescript": _ecmascript,
    "tsx": _ecmascript,
    "go": _go,
    "rust": _rust,
    "java": _java,
    "c": _c,
    "cpp": _c,
    "ruby": _ruby,
    "php": _php,
    "csharp": _csharp,
    "bash": _bash,
}
