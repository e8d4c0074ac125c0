"""Resolve: where a symbol is defined, from a selector to ranked candidates.

A name is looked up in this order, and the first that has an answer gives it: its qualified name in the index, names
that end so, what imports hand on under it, what classes inherit; failing all, names that begin so or look alike. A
position is read off the file with Tree-sitter and followed by `definition_finder`, while a language server is asked
the same; `server_answer` says which of the two counts. Ambiguity is an answer: all candidates, ranked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..domain.chunk_ids import format_id, parse_id
from ..domain.errors import NotFoundError, UsageError
from ..domain.identifiers import words_of
from ..domain.imports import parse_import
from ..domain.index_records import DefinitionRow
from ..domain.language_server import ServerQuestion
from ..domain.ranking import is_test_path
from ..domain.selectors import DottedName, FileName, ModuleName, Position, parse_selector
from ..domain.source_files import display_path
from ..domain.symbol_answer import (
    GUESSES,
    INDEX,
    TREE_SITTER,
    SymbolAnswer,
    SymbolCandidate,
    definition_id,
    is_by_server,
)
from ..domain.symbols import CLASS_KINDS, CONTAINER_KINDS, FUNCTION_KINDS
from ..domain.syntax import first_name
from .definition_finder import NOT_STORED, DefinitionFinder, Meaning, is_builtin
from .excerpts import SHOWN_AS_IT_IS
from .search import nearest_names
from .server_answer import graded, pointed
from .unparsed_files import why_unparsed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..domain.index_records import ChunkRow, FileRecord, StoredDefinition
    from ..domain.language_server import Method, ServerPlace, ServerReply
    from ..domain.module_map import ModuleMap
    from ..domain.ports import Clock, IndexPort, LanguageServers, PendingReply, SecretRedactor, SegmentFiles
    from ..domain.selectors import Selector
    from ..domain.symbol_answer import Reason
    from ..domain.syntax import NameTree, NameUse, ReadTree

RESOLVE_LIMIT = 20
RESOLVE_LIMIT_MAX = 1000
RESOLVE_DEADLINE_S = 0.4
"""An answer is there half a second after the command's own work began; what takes longer is left out and said so."""

_NAMED_MAX = 5000
_GUESSES_MAX = 200
_PREFIX_CHARS_MIN = 3
_MODULE_FILES_MAX = 24
_MODULE_JOINT = re.compile(r"::|[./\\]")
_FAMILIES = {"typescript": "javascript", "tsx": "javascript", "c": "cpp"}


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """What the caller wants to know."""

    query: str
    limit: int = RESOLVE_LIMIT


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a selector means, before it is cut to a limit and written down; `word` is the name it ends in.

    `outside` and `reply` are what a language server said, when one was asked.
    """

    meanings: tuple[Meaning, ...]
    word: str
    resolved_by: str = INDEX
    complete: bool = True
    reason: str = ""
    outside: tuple[ServerPlace, ...] = ()
    reply: ServerReply | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """A position read off its file: the name there (`use` None when the grammar sees none), and where it begins.

    `tree` is None for a file that cannot or must not be parsed; then nothing but the record is known.
    """

    record: FileRecord
    tree: NameTree | None = None
    use: NameUse | None = None
    line: int = 0
    column: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Resolve:
    """The use case; `read_tree` parses an indexed file for its names, `modules` gives the modules of what is indexed.

    A file that must not be parsed (see `unparsed_files`) is for `read_tree` to refuse. Without `servers`, Tree-sitter
    alone answers what a position means; names are answered by the index alone in any case.
    """

    index: IndexPort
    files: SegmentFiles
    read_tree: ReadTree
    clock: Clock
    modules: Callable[[], ModuleMap]
    deadline_s: float = RESOLVE_DEADLINE_S
    servers: LanguageServers | None = None
    redact: SecretRedactor = SHOWN_AS_IT_IS

    def __call__(self, request: ResolveRequest) -> SymbolAnswer:
        """Answer from the index as it stands.

        Raises: UsageError for a selector that is none, a limit out of range, a position outside its file or a path
        outside the segment; NotFoundError for a file that is not there.
        """
        if not 1 <= request.limit <= RESOLVE_LIMIT_MAX:
            raise UsageError(f"--limit must be from 1 to {RESOLVE_LIMIT_MAX}, found {request.limit}")
        resolution = self.resolution_of(parse_selector(request.query), self.finder())
        stale = self.why_stale(request.query, resolution)
        found = tuple(self.candidate(meaning) for meaning in resolution.meanings[: request.limit])
        return SymbolAnswer(
            request.query,
            found,
            resolution.resolved_by,
            resolution.complete,
            self.index.meta("as_of"),
            len(resolution.meanings),
            "; ".join(filter(None, (stale, resolution.reason))),
            () if found else nearest_names(resolution.word, self.index),
            resolution.outside,
            resolution.reply,
        )

    def why_stale(self, query: str, resolution: Resolution) -> str:
        """Return the note on an id whose text is not there any more, "" for one that is up to date or no id."""
        wanted = parse_id(query.strip())
        if wanted is None or not resolution.meanings:
            return ""
        record = self.index.file(wanted.path.removeprefix("./"))
        chunks = record.chunks if record is not None else ()
        if any(chunk.digest == wanted.digest and chunk.qualname == wanted.qualname for chunk in chunks):
            return ""
        ids = {parse_id(self.candidate(meaning).id) for meaning in resolution.meanings}
        if any(one is not None and one.digest == wanted.digest for one in ids):
            return ""
        return f"the text behind this id changed; this is what {resolution.word} is now"

    def finder(self, *, deadline_s: float | None = None) -> DefinitionFinder:
        """Return a finder whose time begins now."""
        wait_s = self.deadline_s if deadline_s is None else deadline_s
        end_ns = self.clock.perf_counter_ns() + int(wait_s * 1e9)
        return DefinitionFinder(
            self.index, self.modules(), self.read_tree, is_late=lambda: self.clock.perf_counter_ns() >= end_ns
        )

    def resolution_of(self, selector: Selector, finder: DefinitionFinder, spot: Spot | None = None) -> Resolution:
        """Return everything a selector may mean, best first; `spot` is that of a position when it is known already."""
        match selector:
            case Position():
                found = self._at_position(selector, spot or self.spot(selector), finder)
            case ModuleName():
                found = self._in_module(selector, finder)
            case FileName():
                found = self._in_file(selector, finder)
            case DottedName(parts):
                found = self._named(parts, finder)
        if finder.was_late and not is_by_server(found.resolved_by):
            late = f"not finished in {self.deadline_s:g} s"
            found = replace(found, complete=False, reason=f"{found.reason} ({late})" if found.reason else late)
        return found

    # ------------------------------------------------------------------ names

    def _named(self, parts: tuple[str, ...], finder: DefinitionFinder) -> Resolution:
        name = parts[-1]
        stored = self.index.definitions_named(name, _NAMED_MAX)
        stored = [s for s in stored if s.row.name == name] or stored
        by_level: list[list[StoredDefinition]] = [[], [], []]
        for one in stored:
            level = _level(one, parts, finder.modules)
            if level is not None:
                by_level[level].append(one)
        whole, own, ends = by_level
        if whole and len(parts) > 1:
            return Resolution(_ranked(whole, "exact"), name)
        if own or ends:
            suffix: Reason = "unique suffix" if len(ends) == 1 and not own else "suffix"
            return Resolution((*_ranked([*whole, *own], "exact"), *_ranked(ends, suffix)), name)
        if len(parts) > 1:
            found = self._handed_on(parts, stored, finder)
            found = found or self._through_imports(parts, finder) or self._inherited(parts, finder)
            if found:
                return Resolution(tuple(found), name)
        modules = self._modules_named(".".join(parts), finder)
        if modules:
            return Resolution(tuple(modules), name)
        if self._is_outside(parts, finder):
            return _outside(".".join(parts), INDEX)
        return self._guessed(parts, stored)

    def _is_outside(self, parts: tuple[str, ...], finder: DefinitionFinder) -> bool:
        """Tell whether a name is a built-in, or one that the segment's imports only ever take from outside.

        A name that the segment itself defines somewhere, or that one of its imports leads to a file, is not known to
        be outside. Only asked when nothing is found: it reads every import that holds the first part.
        """
        first = parts[0]
        if any(stored.row.name == first for stored in self.index.definitions_named(first, _GUESSES_MAX)):
            return False
        # Of the language of most files: `process` is a word like any other where one script is JavaScript.
        found = is_builtin(first, (language for language, _files in self.index.facts().languages))
        for path, language, _line, text in self.index.imports():
            if first not in text:
                continue
            for taken in parse_import(language, text):
                if not (taken.alias == first or _names_module(parts, taken.module)):
                    continue
                if taken.module.startswith("."):
                    continue
                if finder.modules.files_of(taken.module, language, path):
                    return False
                # What must be of the segment and is not there is made by a build, or missing.
                found = found or not finder.modules.must_be_inside(taken.module, language, path)
        return found

    def _guessed(self, parts: tuple[str, ...], stored: list[StoredDefinition]) -> Resolution:
        """Return what is not it and may be what was meant."""
        name = parts[-1]
        whole = ".".join(parts)
        if stored:
            wanted = set(parts[:-1])
            stored.sort(key=lambda s: -len(wanted.intersection(_scope_words(s))))
            best = len(wanted.intersection(_scope_words(stored[0])))
            kept = [s for s in stored if len(wanted.intersection(_scope_words(s))) == best]
            reason = f"nothing is named {whole}; these are named {name}"
            return Resolution(_ranked(kept[:_GUESSES_MAX], "name"), name, complete=False, reason=reason)
        if len(name) >= _PREFIX_CHARS_MIN:
            begins = self.index.definitions_starting(name, _GUESSES_MAX)
            if begins:
                reason = f"nothing is named {whole}; these names begin so"
                return Resolution(_ranked(begins, "prefix", alike=name), name, complete=False, reason=reason)
        near = [s for one in self._names_like(name) for s in self.index.definitions_named(one, _GUESSES_MAX)]
        if near:
            reason = f"nothing is named {whole}; these names look alike"
            return Resolution(_ranked(near, "fuzzy", alike=name), name, complete=False, reason=reason)
        return Resolution((), name, reason=self._why_nothing(whole))

    def _names_like(self, name: str) -> tuple[str, ...]:
        """Return defined names that look like one: of chunks anywhere, of all definitions those that begin alike."""
        import difflib

        begins = self.index.definitions_starting(name[:_PREFIX_CHARS_MIN], _NAMED_MAX)
        names = dict.fromkeys((*nearest_names(name, self.index), *(stored.row.name for stored in begins)))
        by_folded = {one.lower(): one for one in names}
        return tuple(by_folded[one] for one in difflib.get_close_matches(name.lower(), by_folded, n=5))

    def _why_nothing(self, what: str) -> str:
        if not self.index.file_count():
            return "nothing is indexed: the segment holds no readable text file; `ctx stats` says what was skipped"
        return f"nothing in the segment is named {what}"

    def _handed_on(
        self, parts: tuple[str, ...], stored: list[StoredDefinition], finder: DefinitionFinder
    ) -> list[Meaning]:
        """Return the definition that one of the packages around it hands on (`models.Model` of django.db.models.base).

        Asked from the definition's side: of a name like `models` there may be hundreds of modules.
        """
        scope = parts[:-1]
        found: list[Meaning] = []
        for one in stored[:_GUESSES_MAX]:
            module = finder.modules.module_of(one.path, one.language).split(".")
            for end in range(len(module) - 1, len(scope) - 1, -1):
                if tuple(module[end - len(scope) : end]) != scope:
                    continue
                for path in finder.modules.files_of_dotted(".".join(module[:end]), one.language)[:1]:
                    same = (one.path, one.row)
                    found += [m for m in _known(finder.of_global(path, parts[-1])) if (m.path, m.row) == same]
        return list(dict.fromkeys(found))

    def _through_imports(self, parts: tuple[str, ...], finder: DefinitionFinder) -> list[Meaning]:
        """Return what a module hands on under a name that another one defines (`django.db.models.QuerySet`)."""
        for count in range(len(parts) - 1, 0, -1):
            found: list[Meaning] = []
            for path in self._files_of_module(".".join(parts[:count]), finder):
                found += _known(finder.of_global(path, ".".join(parts[count:])))
            if found:
                return list(_distinct(found))
        return []

    def _files_of_module(self, dotted: str, finder: DefinitionFinder) -> list[str]:
        languages = [language for language, _count in self.index.facts().languages]
        found: dict[str, None] = {}
        for language in sorted(languages, key=lambda one: one != "python"):
            found.update(dict.fromkeys(finder.modules.files_of_dotted(dotted, language)))
        return list(found)[:_MODULE_FILES_MAX]

    def _modules_named(self, dotted: str, finder: DefinitionFinder) -> list[Meaning]:
        """Return modules, one for each: a package of several files stands for itself by its first."""
        found: dict[str, Meaning] = {}
        for path in self._files_of_module(dotted, finder):
            module = finder.module(path)
            if module.row.qualname.split(".")[-dotted.count(".") - 1 :] == dotted.split("."):
                found.setdefault(module.row.qualname, module._replace(reason="exact"))
        return sorted(found.values(), key=lambda m: (is_test_path(m.path), m.path.count("/"), m.path))

    def _inherited(self, parts: tuple[str, ...], finder: DefinitionFinder) -> list[Meaning]:
        """Return the member that a class has from a base."""
        owners = self._named(parts[:-1], finder)
        if not owners.complete:
            return []
        found: list[Meaning] = []
        for owner in owners.meanings[:_MODULE_FILES_MAX]:
            if owner.kind == "class":
                found += _known(finder.members(owner, parts[-1]))
        return list(dict.fromkeys(found))

    def _in_module(self, selector: ModuleName, finder: DefinitionFinder) -> Resolution:
        language, parts = selector.language, selector.parts
        dotted = selector.module.replace("::", ".").replace("\\", ".").replace("/", ".")
        languages = [name for name, _count in self.index.facts().languages]
        if language not in languages:
            known = ", ".join(sorted(languages)) or "none"
            return Resolution((), dotted, reason=f"no file of the segment is in {language}; there are: {known}")
        files = finder.modules.files_of_dotted(dotted, language)
        files = files or finder.modules.files_of(selector.module, language, "")
        files = files or self._files_at(dotted, language)
        if not parts:
            modules = tuple(finder.module(path)._replace(reason="exact") for path in files[:1])
            return Resolution(modules, dotted, reason="" if files else f"no module {selector.module} in the segment")
        name = ".".join(parts)
        found: list[Meaning] = []
        for path in files[:_MODULE_FILES_MAX]:
            found += [
                m._replace(reason="exact") if m.reason == "same file" else m
                for m in _known(finder.of_global(path, name))
            ]
        for path in files[:_MODULE_FILES_MAX] if not found else ():
            found += [_meaning(path, row, "exact") for row in finder.rows(path) if row.qualname == name]
        if not found:
            whole = finder.modules.files_of_dotted(f"{dotted}.{name}", language)
            found = [finder.module(path)._replace(reason="exact") for path in whole[:1]]
        where = (
            f"the module {selector.module} has no {name}" if files else f"no module {selector.module} in the segment"
        )
        found.sort(key=lambda m: m.reason != "exact")
        return Resolution(_distinct(found), parts[-1], reason="" if found else where)

    def _files_at(self, dotted: str, language: str) -> tuple[str, ...]:
        """Return the files whose path, read as a module, is this one: a source folder may be spelled, too."""
        ending = "." + dotted
        found = []
        for path, of_language, _sha, _tokens in self.index.files():
            folder, slash, name = path.rpartition("/")
            spelled = f"{folder}{slash}{name.partition('.')[0]}".replace("/", ".")
            if family_of(of_language) == family_of(language) and f".{spelled}".endswith(ending):
                found.append(path)
        return tuple(sorted(found, key=lambda path: (path.count("/"), path)))

    # ------------------------------------------------------------------ files

    def _in_file(self, selector: FileName, finder: DefinitionFinder) -> Resolution:
        try:
            record = self._record_of(selector.path)
        except NotFoundError:
            if words_of(selector.path) == [selector.path]:  # Class#method, as documentation writes it
                return self._named((selector.path, *selector.parts), finder)
            raise
        name = ".".join(selector.parts)
        rows = finder.rows(record.path)
        exact = [row for row in rows if row.qualname == name]
        found = [_meaning(record.path, row, "exact") for row in exact]
        if not found:
            ends = [row for row in rows if row.qualname.endswith("." + name)]
            reason: Reason = "unique suffix" if len(ends) == 1 else "suffix"
            found = [_meaning(record.path, row, reason) for row in ends]
        found = found or _known(finder.of_global(record.path, name))
        if not found:
            found = [
                _meaning(record.path, _row_of_chunk(chunk), "exact")
                for chunk in record.chunks
                if name in (chunk.qualname, chunk.name)
            ]
        return Resolution(
            tuple(found), selector.parts[-1], reason="" if found else f"{record.path} has no {name} in it"
        )

    def _record_of(self, path: str) -> FileRecord:
        """Return the indexed file that a path names.

        Raises: NotFoundError, OutsideSegmentError, UsageError for a directory or a file that is not indexed.
        """
        record = self.index.file(path.removeprefix("./"))
        if record is None:
            shown = display_path(self.files.resolve_inside(path))
            record = self.index.file(shown)
            if record is None and (not shown or self.index.has_folder(shown)):
                raise UsageError(f"{path}: a folder; give a file and a name or a line in it")
        if record is None or record.status == "skipped":
            reason = f" ({record.reason})" if record is not None else ""
            raise NotFoundError(f"{path}: the file is there and not indexed{reason}; `ctx stats` says why")
        return record

    def spot(self, position: Position) -> Spot:
        """Read a position off its file.

        Raises: UsageError for one outside the file, and what `_record_of` raises.
        """
        record = self._record_of(position.path)
        tree = None if why_unparsed(record) else self.read_tree(record.path)
        if tree is None:
            return Spot(record)
        if position.line > max(tree.line_count, 1):
            raise UsageError(f"{position}: {record.path} has {tree.line_count} lines; give a line inside it")
        text = tree.line_text(position.line)
        _check_column(position, text)
        use = tree.at(position.line, position.column) if position.column else first_name(tree.names_on(position.line))
        if use is not None:
            return Spot(record, tree, use, use.line, use.column, use.name)
        word = _word_at(text, position.column) if position.column else ""
        return Spot(record, tree, None, position.line, position.column, word)

    def ask(self, method: Method, spot: Spot) -> PendingReply | None:
        """Ask a language server about a spot and return at once; None when there is nobody or nothing to ask."""
        if spot.tree is None or not spot.name:
            return None
        question = ServerQuestion(
            method, spot.record.path, spot.line, spot.column, spot.record.language, spot.name, state=self._state()
        )
        return self.servers.ask(question) if self.servers is not None else None

    def ask_for_uses(self, meaning: Meaning, language: str) -> PendingReply | None:
        """Ask a language server who uses a definition and return at once; None when there is nobody to ask."""
        row = meaning.row
        question = ServerQuestion(
            "references", meaning.path, row.name_line, row.name_column, language, row.name, state=self._state()
        )
        return self.servers.ask(question) if self.servers is not None else None

    def _state(self) -> str:
        return f"{self.index.meta('generation')} {self.index.meta('as_of')}"

    def _at_position(self, position: Position, spot: Spot, finder: DefinitionFinder) -> Resolution:
        """Return what the name at a spot means: ours and the server's answer, made at the same time."""
        if spot.tree is None:
            unparsed = why_unparsed(spot.record)
            found = self._at_word(spot.record, position, finder)
            return replace(
                found, reason="; ".join(filter(None, (found.reason, unparsed and f"{spot.record.path}: {unparsed}")))
            )
        pending = self.ask("definition", spot)
        own = self._own(position, spot, spot.tree, finder)
        if pending is None:
            return own
        reply = pending.result()
        return graded(own, reply, pointed(reply, spot.name, finder), spot.name)

    def _own(self, position: Position, spot: Spot, tree: NameTree, finder: DefinitionFinder) -> Resolution:
        path = spot.record.path
        if spot.use is None:
            where = f"column {position.column} of line" if position.column else "line"
            return Resolution((), "", TREE_SITTER, reason=f"no name stands at {where} {position.line} of {path}")
        found = self.of_use(tree, path, spot.use, finder)
        if tree.has_errors and not found.meanings:
            found = replace(found, complete=False, reason=f"{found.reason}; the file has syntax errors")
        return found

    def of_use(self, tree: NameTree, path: str, use: NameUse, finder: DefinitionFinder) -> Resolution:
        """Return what a name in a file means; by its name alone when what it is asked of is not known."""
        meanings = finder.of_use(tree, path, use)
        known = _known(meanings)
        if known:
            return Resolution(tuple(known), use.name, TREE_SITTER)
        if meanings:
            return _outside(use.name, TREE_SITTER, meanings)
        language = family_of(tree.language)
        stored = [s for s in self.index.definitions_named(use.name, _NAMED_MAX) if s.row.name == use.name]
        stored = [s for s in stored if family_of(s.language) == language]
        if use.is_member:
            stored = [s for s in stored if "." in s.row.qualname] or stored
        if not stored:
            reason = f"nothing in the segment is named {use.name}"
            return Resolution((), use.name, TREE_SITTER, complete=False, reason=reason)
        reason = f"what {use.name} is asked of is not known; these are named so" if use.is_member else "by name alone"
        return Resolution(_ranked(stored, "name"), use.name, TREE_SITTER, complete=False, reason=reason)

    def _at_word(self, record: FileRecord, position: Position, finder: DefinitionFinder) -> Resolution:
        """Look up the word at a place of a file that no grammar reads."""
        lines: list[str] = []

        def keep(text: str) -> str:
            lines.extend(text.split("\n"))
            return ""

        self.files.read_file_at_mode(record.path, "raw", keep)
        if position.line > len(lines):
            raise UsageError(f"{position}: {record.path} has {len(lines)} lines; give a line inside it")
        text = lines[position.line - 1].removesuffix("\r")
        _check_column(position, text)
        word = _word_at(text, position.column)
        if not word:
            return Resolution((), "", reason=f"no name stands at line {position.line} of {record.path}")
        return replace(self._named((word,), finder), complete=False)

    # ------------------------------------------------------------------ writing down

    def candidate(self, meaning: Meaning) -> SymbolCandidate:
        """Return a meaning as answers give it."""
        path, row = meaning.path, meaning.row
        record = self.index.file(path)
        language = record.language if record is not None else ""
        return SymbolCandidate(
            path,
            row.name_line,
            row.name_column,
            row.end_line,
            row.kind,
            row.name,
            row.qualname,
            self.redact(row.signature),
            self.redact(row.doc),
            self._id(record, row) if record is not None else path,
            language,
            meaning.reason,
        )

    def _id(self, record: FileRecord, row: DefinitionRow) -> str:
        if row.kind == "module" and not row.signature:
            return record.path
        if row.parent == NOT_STORED:
            around = None
            for stored in self.index.definitions_of(record.path):
                is_scope = stored.kind in FUNCTION_KINDS | CONTAINER_KINDS
                if is_scope and stored.start_line <= row.name_line <= stored.end_line:
                    around = stored
            if around is not None:
                return definition_id(record, around)
            for chunk in record.chunks:
                if chunk.start_line <= row.name_line <= chunk.end_line:
                    return format_id(record.path, chunk.qualname, chunk.digest, chunk.twin)
        return definition_id(record, row)


def _outside(name: str, resolved_by: str, meanings: Sequence[Meaning] = ()) -> Resolution:
    """Return the answer for a name that is known not to be in the segment; without a word, nothing near is named.

    What every one of its `meanings` was sought for in the segment is not said to be outside: it may be missing, or made
    by a build.
    """
    sought = "; ".join(dict.fromkeys(meaning.sought for meaning in meanings))
    if sought and all(meaning.sought for meaning in meanings):
        return Resolution((), "", resolved_by, reason=f"{name} is not found in the segment: {sought}")
    return Resolution((), "", resolved_by, reason=f"{name} is defined outside the segment")


def _names_module(parts: tuple[str, ...], module: str) -> bool:
    """Tell whether a dotted name begins with a module, or the module with the name."""
    names = tuple(part for part in _MODULE_JOINT.split(module) if part)
    count = min(len(names), len(parts))
    return count > 0 and names[:count] == parts[:count]


def _distinct(meanings: list[Meaning]) -> tuple[Meaning, ...]:
    """Return each definition once, with the reason that comes first."""
    return tuple({(meaning.path, meaning.row): meaning for meaning in reversed(meanings)}.values())[::-1]


def _known(meanings: list[Meaning]) -> list[Meaning]:
    return [meaning for meaning in meanings if meaning.kind != "outside"]


def _meaning(path: str, row: DefinitionRow, reason: Reason) -> Meaning:
    return Meaning("class" if row.kind in CLASS_KINDS else "definition", path, row, reason)


def _level(stored: StoredDefinition, parts: tuple[str, ...], modules: ModuleMap) -> int | None:
    """Return 0 when the name with its module is what was asked, 1 without it, 2 when it ends so, else None."""
    own = tuple(stored.row.qualname.split("."))
    if own == parts:
        return 1
    if len(parts) > 1 and stored.row.name == parts[-1]:
        module = tuple(modules.module_of(stored.path, stored.language).split("."))
        whole = own if own[: len(module)] == module else (*module, *own)
        if whole == parts:
            return 0
        return 2 if whole[-len(parts) :] == parts else None
    return (
        2 if own[-len(parts) :] == parts or stored.row.name.lower() == parts[-1].lower() == parts[0].lower() else None
    )


def _scope_words(stored: StoredDefinition) -> set[str]:
    return set(words_of(f"{stored.path} {stored.row.qualname}"))


def _ranked(stored: list[StoredDefinition], reason: Reason, *, alike: str = "") -> tuple[Meaning, ...]:
    """Return definitions in the order a person would look at them; those most like a name first when one is given."""
    likeness: dict[str, float] = {}
    if alike:
        import difflib

        for one in stored:
            if one.row.name not in likeness:
                likeness[one.row.name] = -difflib.SequenceMatcher(None, alike, one.row.name).ratio()

    def order(one: StoredDefinition) -> tuple[float, bool, bool, bool, int, int, str, int]:
        row = one.row
        return (
            likeness.get(row.name, 0.0),
            is_test_path(one.path),
            one.generated,
            row.kind in ("impl", "object"),
            row.qualname.count("."),
            one.path.count("/"),
            one.path,
            row.name_line,
        )

    return tuple(_meaning(one.path, one.row, reason) for one in sorted(stored, key=order))


def _row_of_chunk(chunk: ChunkRow) -> DefinitionRow:
    """Return a chunk (a section of a document) in the form of a definition."""
    return DefinitionRow(*chunk[:5], chunk.start_line, chunk.end_line, chunk.start_line, 1, -1)


def _check_column(position: Position, text: str) -> None:
    if position.column > len(text) + 1:
        raise UsageError(f"{position}: line {position.line} has {len(text)} columns; give a column inside it")


def _word_at(text: str, column: int) -> str:
    at = max(column - 1, 0)
    start = end = min(at, len(text))
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    return text[start:end]


def family_of(language: str) -> str:
    """Return the name that languages which use one another's names go by."""
    return _FAMILIES.get(language, language)


__all__ = ["GUESSES", "Resolution", "Resolve", "ResolveRequest", "Spot"]
