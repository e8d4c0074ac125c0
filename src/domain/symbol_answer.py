"""What is answered about symbols: where one is defined, and who uses it.

Answers are graded: `resolved_by` says what gave them ("index", "tree_sitter", or "lsp:<server>"), `complete` whether
that is all there is to say, `as_of` the state they describe. An ambiguous answer is one with all its candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .chunk_ids import digest_of, format_id

if TYPE_CHECKING:
    from .index_records import DefinitionRow, FileRecord
    from .language_server import ServerPlace, ServerReply
    from .symbols import Definition

INDEX = "index"
TREE_SITTER = "tree_sitter"
SERVER_PREFIX = "lsp:"
"""What `resolved_by` begins with when a language server gave the answer; its name follows."""

Reason = Literal[
    "exact",
    "import",
    "unique suffix",
    "suffix",
    "same file",
    "local scope",
    "inherited",
    "member",
    "name",
    "prefix",
    "fuzzy",
    "server",
]
"""Why a candidate is one, the surest first: its name is what was asked; an import leads to it; the only one whose
qualified name ends so; one of several such; the file of the place defines it; the function around the place binds it;
a base of the class has it; the receiver's class has it; only the name fits; the name begins so; it looks alike.

`server` is one that a language server alone points to: sure, without a reason of our own."""

GUESSES = frozenset({"name", "prefix", "fuzzy"})
"""Reasons that never make an answer complete."""

UseKind = Literal["call", "import", "definition", "attribute", "type", "write", "other"]


@dataclass(frozen=True, slots=True)
class SymbolCandidate:
    """One place a symbol may be defined at; `line` and `column` are those of its name, `id` is one for `ctx get`."""

    path: str
    line: int
    column: int
    end_line: int
    kind: str
    name: str
    qualname: str
    signature: str
    doc: str
    id: str
    lang: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class SymbolAnswer:
    """Where a symbol is defined: candidates in order, `total` of them before the limit.

    `reason` says why there is none, or why the answer is not complete; `nearest` are names that look alike. `outside`
    are places in files that are not indexed, of which a language server tells; `server` is what came of asking one.
    """

    query: str
    found: tuple[SymbolCandidate, ...]
    resolved_by: str
    complete: bool
    as_of: str
    total: int
    reason: str = ""
    nearest: tuple[str, ...] = ()
    outside: tuple[ServerPlace, ...] = ()
    server: ServerReply | None = None

    @property
    def resolved(self) -> bool:
        """Whether anything was found."""
        return bool(self.found)

    @property
    def ambiguous(self) -> bool:
        """Whether there is more than one candidate."""
        return self.total > 1


@dataclass(frozen=True, slots=True)
class Reference:
    """One use of a symbol; `certain` when imports, scopes or types lead from it to the symbol and not its name alone.

    `within` is the qualified name of the definition around it, "" at module level.
    """

    path: str
    line: int
    column: int
    kind: UseKind
    certain: bool
    within: str
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Caller:
    """A function (or a module, `qualname` "") that calls the symbol, and the lines it does so on."""

    path: str
    qualname: str
    line: int
    id: str
    lines: tuple[int, ...]
    certain: bool
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Callee:
    """A name that the symbol's text calls, where first, how often, and what it may be."""

    name: str
    line: int
    column: int
    calls: int
    found: tuple[SymbolCandidate, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class ReferencesAnswer:
    """Who uses a symbol, the certain ones first.

    `total` and `certain` count all that were found, `files_searched` the files that were parsed out of
    `files_with_name` that hold the word; `omitted` were cut off by the limit or the budget.
    """

    query: str
    targets: tuple[SymbolCandidate, ...]
    references: tuple[Reference, ...]
    callers: tuple[Caller, ...]
    callees: tuple[Callee, ...]
    total: int
    certain: int
    omitted: int
    total_tokens: int
    files_searched: int
    files_with_name: int
    resolved_by: str
    complete: bool
    as_of: str
    reason: str = ""
    nearest: tuple[str, ...] = ()
    server: ServerReply | None = None


@dataclass(frozen=True, slots=True)
class HoverAnswer:
    """What is known of one symbol at a glance: the best candidate, and what seeing more of it costs.

    `doc` is the first paragraph of its documentation, `callers` how many functions certainly call it (None when that
    is not known at once), `tokens` what each level of disclosure costs, `text` what a language server says of it.
    """

    query: str
    found: SymbolCandidate | None
    doc: str
    callers: int | None
    tokens: dict[str, int]
    text: str
    resolved_by: str
    complete: bool
    as_of: str
    total: int
    reason: str = ""
    nearest: tuple[str, ...] = ()
    outside: tuple[ServerPlace, ...] = ()
    server: ServerReply | None = None

    @property
    def ambiguous(self) -> bool:
        """Whether there is more than one candidate."""
        return self.total > 1


def is_by_server(resolved_by: str) -> bool:
    """Tell whether a language server gave an answer."""
    return resolved_by.startswith(SERVER_PREFIX)


def definition_id(record: FileRecord, row: DefinitionRow | Definition) -> str:
    """Return the id a definition goes by in its file: that of its own chunk, else of the one it is a part of."""
    holding = [chunk for chunk in record.chunks if chunk.start_line <= row.name_line <= chunk.end_line]
    own = [chunk for chunk in record.chunks if chunk.qualname == row.qualname]
    for chunk in (
        *(chunk for chunk in own if chunk.end_line == row.end_line),
        *(chunk for chunk in holding if chunk.qualname == row.qualname),
        *holding,
    ):
        return format_id(record.path, row.qualname, chunk.digest, chunk.twin)
    return format_id(record.path, row.qualname, digest_of(row.signature.encode("utf-8", "replace")), 1)
