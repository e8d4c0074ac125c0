"""Definitions of one source file and their skeleton: what is declared, without the bodies.

Owns the values and the skeleton's printed form. How definitions are found in a language is
`ctx.infrastructure.ast_lsp`'s business. Lines are 1-based and inclusive, bytes are 0-based and half-open,
both counted in the UTF-8 form of the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Kind = Literal[
    "function",
    "method",
    "class",
    "interface",
    "struct",
    "enum",
    "trait",
    "impl",
    "object",
    "namespace",
    "module",
    "type",
    "property",
    "constant",
    "variable",
    "macro",
]
"""What a definition is, in every language's words at once; docs/languages.md says which language uses which for what.

`impl` is a Rust impl block, `object` a JavaScript object literal that holds functions, `module` a Ruby module or a
Rust mod, `variable` what is declared at file level in a language that tells it from a constant.
"""

Status = Literal["ok", "partial", "failed"]
"""`ok`: the file parsed; `partial`: it has syntax errors and this is what was recovered; `failed`: nothing was."""

FUNCTION_KINDS = frozenset({"function", "method"})
CLASS_KINDS = frozenset({"class", "interface", "struct", "enum", "trait", "impl", "object"})
"""Kinds whose direct functions are methods."""
CONTAINER_KINDS = CLASS_KINDS | {"namespace", "module"}
"""Kinds that mainly hold other definitions; large ones are read in pieces."""
VALUE_KINDS = frozenset({"constant", "variable"})
"""Kinds that name a value; a line or a few, told together with what stands around them."""

_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Definition:
    """One declared name.

    `parent` is the index of the enclosing definition in its `SkeletonMap`, or -1 at the top level.
    `signature` is one line without what opens the body (a colon, a brace); `doc` is the first line that says
    something of the docstring or of the comment directly above, or "".
    `start_line` includes decorators, not the comment; `name_line` is where the name itself stands, `name_column` at
    which character of that line, from 1.
    `has_body` is False for what is only declared: a prototype, an abstract method, a constant.
    """

    kind: str
    name: str
    qualname: str
    signature: str
    decorators: tuple[str, ...]
    doc: str
    start_line: int
    end_line: int
    start_byte: int
    end_byte: int
    name_line: int
    parent: int
    has_body: bool = True
    name_column: int = 1


@dataclass(frozen=True, slots=True)
class ImportStatement:
    """One import, as written on one line, and the lines it takes up."""

    text: str
    names: tuple[str, ...]
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class SkeletonMap:
    """Everything one file declares, in source order; a parent stands before its children."""

    file_path: str
    language: str
    status: Status
    definitions: tuple[Definition, ...]
    imports: tuple[ImportStatement, ...]
    source_bytes: int
    reason: str = ""

    @property
    def functions(self) -> tuple[Definition, ...]:
        """Functions and methods, nested ones included."""
        return tuple(d for d in self.definitions if d.kind in FUNCTION_KINDS)

    @property
    def classes(self) -> tuple[Definition, ...]:
        """Classes and what other languages have in their place, nested ones included."""
        return tuple(d for d in self.definitions if d.kind in CLASS_KINDS)

    @property
    def constants(self) -> tuple[Definition, ...]:
        """Names of values at file or class level: in Python all plain assignments, elsewhere what is declared so."""
        return tuple(d for d in self.definitions if d.kind in VALUE_KINDS)

    def find(self, qualname: str) -> tuple[Definition, ...]:
        """Return the definitions of that qualified name, else those whose qualified name ends with it."""
        exact = tuple(d for d in self.definitions if d.qualname == qualname)
        if exact:
            return exact
        suffix = "." + qualname
        return tuple(d for d in self.definitions if d.qualname.endswith(suffix))

    def enclosing(self, line_1based: int) -> Definition | None:
        """Return the innermost function or class that holds the line, or None at module level."""
        best: Definition | None = None
        for definition in self.definitions:
            if definition.kind in ("constant", "type"):
                continue
            inside = definition.start_line <= line_1based <= definition.end_line
            if inside and (best is None or definition.start_line >= best.start_line):
                best = definition
        return best

    def render(self, *, within: Definition | None = None) -> str:
        """Return the skeleton as text: imports are left out, bodies elided, each line ends with its lines' numbers.

        `within` limits it to one definition and what that contains. Empty when nothing is declared.
        """
        shown = self.definitions
        if within is not None:
            shown = tuple(d for d in shown if within.start_byte <= d.start_byte and d.end_byte <= within.end_byte)
        return "\n".join(_render_lines(shown, is_python=self.language == "python"))


def _render_lines(definitions: Sequence[Definition], *, is_python: bool) -> Iterator[str]:
    """Yield the lines of a skeleton; depth comes from the nesting of byte spans.

    Python's keep the form of the language. Others have none that serves all, so a doc is a remark like the lines.
    """
    open_ends: list[int] = []
    for definition in definitions:
        while open_ends and definition.start_byte >= open_ends[-1]:
            open_ends.pop()
        indent = _INDENT * len(open_ends)
        for decorator in definition.decorators:
            yield f"{indent}{decorator}"
        lines = (
            f"L{definition.start_line}"
            if definition.start_line == definition.end_line
            else f"L{definition.start_line}-{definition.end_line}"
        )
        colon = ":" if is_python and definition.kind not in ("constant", "type") else ""
        yield f"{indent}{definition.signature}{colon}  # {lines}"
        if definition.doc:
            yield f'{indent}{_INDENT}"""{definition.doc}"""' if is_python else f"{indent}{_INDENT}# {definition.doc}"
        open_ends.append(definition.end_byte)
