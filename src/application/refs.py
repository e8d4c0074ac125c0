"""Refs: who uses a symbol, who calls it, what it calls.

The full-text index tells which files hold the word, Tree-sitter which of its places there are names, and
`definition_finder` what each one means: a use that leads to the symbol is certain, one whose receiver is not known is
kept and said to be uncertain, one that leads elsewhere is left out. A language server is asked the same at the
definition's place meanwhile; what it answers in time is the list, and the search then says what each use is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from ..domain.budget import check_budget
from ..domain.errors import UsageError
from ..domain.identifiers import words_of
from ..domain.ranking import DEFAULT_WEIGHTS, is_test_path
from ..domain.selectors import parse_selector
from ..domain.symbol_answer import (
    SERVER_PREFIX,
    TREE_SITTER,
    Callee,
    Caller,
    Reference,
    ReferencesAnswer,
    definition_id,
)
from ..domain.symbols import CLASS_KINDS, CONTAINER_KINDS, FUNCTION_KINDS
from ..domain.telemetry.redaction import truncated
from .resolve import family_of
from .search import match_expression, nearest_names
from .server_answer import places_of_uses, unseen_by_server
from .unparsed_files import why_unparsed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..domain.language_server import ServerReply
    from ..domain.ports import Clock, IndexPort, PendingReply, TokenCounter
    from ..domain.symbol_answer import SymbolCandidate, UseKind
    from ..domain.syntax import NameTree, NameUse, Role
    from .definition_finder import DefinitionFinder, Meaning
    from .resolve import Resolution, Resolve

REFS_LIMIT = 100
REFS_LIMIT_MAX = 10_000
REFS_BUDGET_TOKENS = 4000
REFS_DEADLINE_S = 5.0
REFS_DEADLINE_S_MAX = 600.0

_INFERENCE_SHARE = 0.7
"""Of the time there is: what receivers are may not keep the rest of the files from being looked at."""
_CHUNKS_MAX = 1_000_000
_LINE_CHARS_MAX = 240
_INDEXED_CHARS_MAX = 64
_CALLEES_MAX = 400
_CANDIDATES_PER_CALLEE = 3
_LOOK_S = 0.5
_ASKED_MAX = 4
"""Definitions (overloads, an accessor's two halves) whose uses a server is asked for; a name with more is ambiguous."""
_UNFIT = frozenset({"prefix", "fuzzy"})
_DECLARING: frozenset[Role] = frozenset({"definition", "variable", "parameter", "write"})
_DYNAMIC = frozenset({"python", "javascript", "ruby", "php"})
_UNCERTAIN = "uses whose receiver is not known are among these"
_SEES_MEMBERS = frozenset({"java", "csharp", "cpp", "ruby"})

_KINDS: dict[Role, UseKind] = {
    "definition": "definition",
    "parameter": "definition",
    "variable": "write",
    "write": "write",
    "import": "import",
    "call": "call",
    "attribute": "attribute",
    "type": "type",
    "keyword": "other",
    "outer": "other",
    "other": "other",
}

View = Literal["uses", "callers", "callees"]


@dataclass(frozen=True, slots=True)
class RefsRequest:
    """What the caller wants; `budget_tokens` is over the lines handed on."""

    query: str
    view: View = "uses"
    limit: int = REFS_LIMIT
    budget_tokens: int = REFS_BUDGET_TOKENS
    deadline_s: float = REFS_DEADLINE_S


@dataclass(frozen=True, slots=True)
class _Targets:
    """What uses have to lead to: (path, line, name) of each definition, and whether they are members of something."""

    places: frozenset[tuple[str, int, str]]
    are_members: bool


@dataclass(slots=True)
class _Found:
    """What the search of the files gave."""

    uses: list[Reference] = field(default_factory=list)
    searched: set[str] = field(default_factory=set)
    aliased: set[tuple[str, int, int]] = field(default_factory=set)
    files_with_name: int = 0
    files_unparsed: int = 0
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class FindReferences:
    """The use case; `source` gives an indexed file's text as UTF-8, `parse` its names at once.

    The language servers, if any, are those of `resolve`.
    """

    resolve: Resolve
    index: IndexPort
    source: Callable[[str], bytes | None]
    parse: Callable[[str, bytes], NameTree | None]
    counter: TokenCounter
    clock: Clock

    def __call__(self, request: RefsRequest) -> ReferencesAnswer:
        """Answer from the index as it stands.

        Raises: UsageError and NotFoundError as `Resolve`; UsageError for a limit, budget or deadline out of range.
        """
        _check(request)
        started_ns = self.clock.perf_counter_ns()
        finder = self.resolve.finder(deadline_s=request.deadline_s * _INFERENCE_SHARE)
        resolution = self.resolve.resolution_of(parse_selector(request.query), finder)
        meanings = [meaning for meaning in resolution.meanings if meaning.reason not in _UNFIT]
        if not meanings:
            return self._nothing(request, resolution)
        if request.view == "callees":
            answer = self._with_callees(request, resolution, meanings, finder)
        else:
            end_ns = started_ns + int(request.deadline_s * 1e9)
            answer = self._with_uses(request, resolution, meanings, finder, end_ns)
        stale = self.resolve.why_stale(request.query, resolution)
        return replace(answer, reason="; ".join(filter(None, (stale, answer.reason))))

    def count_callers(self, meaning: Meaning, *, deadline_s: float) -> int | None:
        """Return how many functions certainly call a definition; None when that is not known in time."""
        finder = self.resolve.finder(deadline_s=deadline_s)
        end_ns = self.clock.perf_counter_ns() + int(deadline_s * 1e9)
        found = self._search([meaning], meaning.row.name, finder, end_ns)
        if not found.is_whole or found.files_unparsed or finder.was_late:
            return None
        return len({(use.path, use.within) for use in found.uses if use.certain and use.kind == "call"})

    def _with_uses(
        self,
        request: RefsRequest,
        resolution: Resolution,
        meanings: list[Meaning],
        finder: DefinitionFinder,
        end_ns: int,
    ) -> ReferencesAnswer:
        asked = self._ask(meanings, finder)
        found = self._search(meanings, resolution.word, finder, end_ns, asked)
        replies = [pending.result() for pending in asked]
        is_by_server = _are_answers(replies, meanings)
        if is_by_server:
            elsewhere = self._take(replies, meanings, found, finder, end_ns)
            complete = found.is_whole and resolution.complete and all(use.certain for use in found.uses)
            reason = self._why_of_server(found, request, elsewhere)
        else:
            is_whole = found.is_whole and not found.files_unparsed
            complete = is_whole and not finder.was_late and all(use.certain for use in found.uses)
            reason = self._why(found, finder, request)
            if any(reply.is_answer for reply in replies):
                # It is asked where the definition stands: one that does not even name that has not understood it.
                complete = complete and all(meaning.reason == "local scope" for meaning in meanings)
                reason = "; ".join(filter(None, (reason, f"{replies[0].server} knows no use of it")))
        found.uses.sort(key=lambda use: (not use.certain, is_test_path(use.path), use.path, use.line, use.column))
        answer = ReferencesAnswer(
            request.query,
            self._targets(request, meanings),
            (),
            (),
            (),
            total=len(found.uses),
            certain=sum(use.certain for use in found.uses),
            omitted=0,
            total_tokens=0,
            files_searched=len(found.searched),
            files_with_name=found.files_with_name,
            resolved_by=SERVER_PREFIX + replies[0].server if is_by_server else TREE_SITTER,
            complete=complete,
            as_of=self.index.meta("as_of"),
            reason=reason,
            server=next((reply for reply in replies if not reply.is_answer), replies[0] if replies else None)
            or resolution.reply,
        )
        return (
            self._cut_callers(answer, found.uses, request)
            if request.view == "callers"
            else self._cut(answer, found.uses, request)
        )

    def _targets(self, request: RefsRequest, meanings: list[Meaning]) -> tuple[SymbolCandidate, ...]:
        return tuple(self.resolve.candidate(meaning) for meaning in meanings[: request.limit])

    def _nothing(self, request: RefsRequest, resolution: Resolution) -> ReferencesAnswer:
        near = tuple(dict.fromkeys(meaning.row.name for meaning in resolution.meanings))[:5]
        return ReferencesAnswer(
            request.query, (), (), (), (), 0, 0, 0, 0, 0, 0, resolution.resolved_by, resolution.complete,
            self.index.meta("as_of"), resolution.reason, near or nearest_names(resolution.word, self.index),
            resolution.reply,
        )  # fmt: skip

    def _why(self, found: _Found, finder: DefinitionFinder, request: RefsRequest) -> str:
        if not found.is_whole:
            return f"{len(found.searched)} files in {request.deadline_s:g} s and more hold the name (--deadline)"
        if finder.was_late:
            return f"not every receiver was looked into in {request.deadline_s:g} s (--deadline)"
        if found.files_unparsed:
            return f"{found.files_unparsed} of the files that hold the name cannot be parsed (`ctx stats`)"
        if not found.uses:
            return "no name in the segment leads to it"
        return "" if all(use.certain for use in found.uses) else _UNCERTAIN

    # ------------------------------------------------------------------ language servers

    def _ask(self, meanings: list[Meaning], finder: DefinitionFinder) -> list[PendingReply]:
        """Ask for the uses of every definition; of none when there are too many, or one that is no name's place."""
        if len(meanings) > _ASKED_MAX or any(meaning.kind == "module" for meaning in meanings):
            return []
        language_of = finder.modules.language_of
        asked = (self.resolve.ask_for_uses(meaning, language_of(meaning.path)) for meaning in meanings)
        return [pending for pending in asked if pending is not None]

    def _take(
        self,
        replies: list[ServerReply],
        meanings: list[Meaning],
        found: _Found,
        finder: DefinitionFinder,
        end_ns: int,
    ) -> int:
        """Put the uses that servers know in place of those that were searched; return how many are elsewhere.

        The search has parsed most of their files and says what they are; the others are parsed, for a moment also when
        the search took all the time there was.
        """
        end_ns = max(end_ns, self.clock.perf_counter_ns() + int(_LOOK_S * 1e9))
        places, elsewhere = places_of_uses(replies, meanings, self._is_indexed)
        languages = {finder.modules.language_of(meaning.path) for meaning in meanings}
        own = {(use.path, use.line, use.column): use for use in found.uses}
        unseen = unseen_by_server(found.uses, places, languages, finder.modules.language_of)
        if _may_escape(meanings, finder):
            unseen += [use for at, use in own.items() if not use.certain and at not in places]
        else:
            found.is_whole = True
        # A server takes `import x as y` for the end of x: what y does is ours to know.
        listed = set(places)
        unseen += [use for at, use in own.items() if use.certain and at in found.aliased and at not in listed]
        found.uses = unseen
        for place in places:
            known = own.get(place)
            found.uses.append(
                replace(known, certain=True) if known is not None else self._at(place, found, finder, end_ns)
            )
        return elsewhere

    def _is_indexed(self, path: str) -> bool:
        record = self.index.file(path)
        return record is not None and record.status != "skipped"

    def _at(self, place: tuple[str, int, int], found: _Found, finder: DefinitionFinder, end_ns: int) -> Reference:
        """Return the use at a place; one that nobody has looked at when the time is over is of kind other."""
        path, line, column = place
        if self.clock.perf_counter_ns() >= end_ns:
            found.is_whole = False
            return Reference(path, line, column, "other", True, "", "", 0)
        tree = self.resolve.read_tree(path)
        found.searched.add(path)
        use = tree.at(line, column) if tree is not None else None
        if tree is not None and use is not None:
            return self._reference(tree, path, use, finder, certain=True)
        around = finder.around(path, line, FUNCTION_KINDS | CONTAINER_KINDS)
        text = truncated(tree.line_text(line).strip(), _LINE_CHARS_MAX) if tree is not None else ""
        return Reference(path, line, column, "other", True, around.qualname if around is not None else "", text, 0)

    def _why_of_server(self, found: _Found, request: RefsRequest, elsewhere: int) -> str:
        late = "" if found.is_whole else f"not every use was looked at in {request.deadline_s:g} s (--deadline)"
        more = f"{elsewhere} more in files that are not indexed" if elsewhere else ""
        unknown = "" if all(use.certain for use in found.uses) else _UNCERTAIN
        return "; ".join(filter(None, (late, more, unknown)))

    # ------------------------------------------------------------------ searching

    def _search(
        self,
        targets: list[Meaning],
        word: str,
        finder: DefinitionFinder,
        end_ns: int,
        asked: Sequence[PendingReply] = (),
    ) -> _Found:
        """Search the files; once all that was asked is answered, only those where the server has not looked.

        That is files of other languages, and all for what may escape it.
        """
        found = _Found()
        wanted = _Targets(
            frozenset((m.path, m.row.name_line, m.row.name) for m in targets),
            any(_is_member(meaning, finder) for meaning in targets),
        )
        word = targets[0].row.name or word
        raw = word.encode("utf-8", "replace")
        languages = {finder.modules.language_of(target.path) for target in targets}
        asked = () if _may_escape(targets, finder) else asked
        is_answered = False
        whole = re.compile(rb"(?<![A-Za-z0-9_\x80-\xff])" + re.escape(raw) + rb"(?![A-Za-z0-9_\x80-\xff])")
        for path in self._files(targets, word, finder):
            if self.clock.perf_counter_ns() >= end_ns:
                found.is_whole = False
                break
            is_answered = is_answered or (
                bool(asked)
                and all(one.is_there() for one in asked)
                and _are_answers([one.result() for one in asked], targets)
            )
            if is_answered and finder.modules.language_of(path) in languages and not _aliases(path, word, finder):
                continue  # the server has looked there
            source = self.source(path)
            if source is None or whole.search(source) is None:
                continue
            found.files_with_name += 1
            tree = self.parse(path, source)
            if tree is None:
                found.files_unparsed += self._is_failed(path)
                continue
            found.searched.add(path)
            names = dict.fromkeys((word, *_aliases(path, word, finder)))
            for use in (use for name in names for use in tree.uses_of(name)):
                certain = self._leads(tree, path, use, wanted, finder)
                if certain is not None:
                    found.uses.append(self._reference(tree, path, use, finder, certain=certain))
                    if use.name != word:
                        found.aliased.add((path, use.line, use.column))
        return found

    def _is_failed(self, path: str) -> bool:
        """Tell whether it takes a parse that failed to know a file's names; text has none."""
        record = self.index.file(path)
        return record is not None and bool(why_unparsed(record))

    def _files(self, targets: list[Meaning], word: str, finder: DefinitionFinder) -> Iterator[str]:
        """Yield the files that may use a symbol: its own, then those near it, tests last."""
        own = dict.fromkeys(meaning.path for meaning in targets)
        yield from own
        if all(meaning.reason == "local scope" for meaning in targets):
            return
        families = {family_of(finder.modules.language_of(path)) for path in own}
        terms = words_of(word)
        if terms and len(word) <= _INDEXED_CHARS_MAX:
            expression = f"body : ({match_expression(tuple(terms)).replace(' OR ', ' AND ')})"
            hits: Iterable[str] = (
                c.path for c in self.index.candidates(expression, DEFAULT_WEIGHTS.fields, _CHUNKS_MAX)
            )
        else:
            hits = (path for path, _language, _sha, _tokens in self.index.files())
        near = {path.rpartition("/")[0] for path in own}
        paths = [
            path
            for path in dict.fromkeys(hits)
            if path not in own and family_of(finder.modules.language_of(path)) in families
        ]
        yield from sorted(paths, key=lambda path: (is_test_path(path), path.rpartition("/")[0] not in near, path))

    def _leads(
        self, tree: NameTree, path: str, use: NameUse, targets: _Targets, finder: DefinitionFinder
    ) -> bool | None:
        """Return True when a use leads to a target, False when it may, None when it does not."""
        if (path, use.line, use.name) in targets.places and use.role in _DECLARING:
            return True
        meanings = finder.of_use(tree, path, use)
        if any((m.path, m.row.name_line, m.row.name) in targets.places for m in meanings):
            return True
        if meanings or use.role in ("definition", "parameter", "keyword", "import"):
            return None
        if tree.language == "python" or not targets.are_members:
            return False if targets.are_members and use.is_member else None
        return False if use.is_member or tree.language in _SEES_MEMBERS else None

    def _reference(
        self, tree: NameTree, path: str, use: NameUse, finder: DefinitionFinder, *, certain: bool
    ) -> Reference:
        around = finder.around(path, use.line, FUNCTION_KINDS | CONTAINER_KINDS)
        is_own = around is not None and around.name_line == use.line and around.name == use.name
        if is_own and around is not None:
            rows = finder.rows(path)
            around = rows[around.parent] if around.parent >= 0 else None
        text = truncated(tree.line_text(use.line).strip(), _LINE_CHARS_MAX)
        return Reference(
            path,
            use.line,
            use.column,
            _KINDS[use.role],
            certain,
            around.qualname if around is not None else "",
            text,
            0,
        )

    # ------------------------------------------------------------------ cutting

    def _cut(self, answer: ReferencesAnswer, uses: list[Reference], request: RefsRequest) -> ReferencesAnswer:
        kept: list[Reference] = []
        tokens = 0
        for use in uses[: request.limit]:
            use = replace(use, text=self.resolve.redact.line(use.text))  # noqa: PLW2901 - as it is shown
            cost = self.counter.count(use.text)
            if tokens + cost > request.budget_tokens:
                break
            tokens += cost
            kept.append(replace(use, tokens=cost))
        return replace(answer, references=tuple(kept), omitted=len(uses) - len(kept), total_tokens=tokens)

    def _cut_callers(self, answer: ReferencesAnswer, uses: list[Reference], request: RefsRequest) -> ReferencesAnswer:
        groups: dict[tuple[str, str], list[Reference]] = {}
        for use in uses:
            if use.kind == "call":
                groups.setdefault((use.path, use.within), []).append(use)
        kept: list[Caller] = []
        tokens = 0
        for (path, qualname), calls in list(groups.items())[: request.limit]:
            calls[0] = replace(calls[0], text=self.resolve.redact.line(calls[0].text))
            cost = self.counter.count(calls[0].text)
            if tokens + cost > request.budget_tokens:
                break
            tokens += cost
            kept.append(self._caller(path, qualname, calls, cost))
        total = len(groups)
        return replace(
            answer,
            callers=tuple(kept),
            total=total,
            certain=sum(any(call.certain for call in calls) for calls in groups.values()),
            omitted=total - len(kept),
            total_tokens=tokens,
            reason=answer.reason or ("" if total else "nothing calls it"),
        )

    def _caller(self, path: str, qualname: str, calls: list[Reference], tokens: int) -> Caller:
        record = self.index.file(path)
        line = calls[0].line
        row = next(
            (
                row
                for row in self.index.definitions_of(path)
                if row.qualname == qualname and row.start_line <= line <= row.end_line
            ),
            None,
        )
        return Caller(
            path,
            qualname,
            row.name_line if row is not None else line,
            definition_id(record, row) if record is not None and row is not None else path,
            tuple(sorted({call.line for call in calls})),
            any(call.certain for call in calls),
            calls[0].text,
            tokens,
        )

    # ------------------------------------------------------------------ callees

    def _with_callees(
        self,
        request: RefsRequest,
        resolution: Resolution,
        meanings: list[Meaning],
        finder: DefinitionFinder,
    ) -> ReferencesAnswer:
        target = next((m for m in meanings if m.row.kind in FUNCTION_KINDS | CLASS_KINDS), meanings[0])
        tree = self.resolve.read_tree(target.path)
        callees: list[Callee] = []
        uses = tree.calls_in(target.row.start_line, target.row.end_line) if tree is not None else ()
        if tree is not None:
            callees = self._callees(tree, target.path, uses, finder)
        kept: list[Callee] = []
        tokens = 0
        for callee in callees[: request.limit]:
            cost = sum(self.counter.count(one.signature) for one in callee.found)
            if tokens + cost > request.budget_tokens:
                break
            tokens += cost
            kept.append(callee)
        return ReferencesAnswer(
            request.query,
            self._targets(request, meanings),
            (),
            (),
            tuple(kept),
            total=len(callees),
            certain=sum(callee.complete for callee in callees),
            omitted=len(callees) - len(kept),
            total_tokens=tokens,
            files_searched=1,
            files_with_name=1,
            resolved_by=TREE_SITTER,
            complete=len(meanings) == 1 and not finder.was_late and all(callee.complete for callee in callees),
            as_of=self.index.meta("as_of"),
            reason=resolution.reason if callees else "it calls nothing",
            server=resolution.reply,
        )

    def _callees(self, tree: NameTree, path: str, uses: tuple[NameUse, ...], finder: DefinitionFinder) -> list[Callee]:
        """Return what is called, in the order of the first call; calls that mean the same, and as surely, are one."""
        groups: dict[tuple[object, ...], tuple[NameUse, int, Resolution]] = {}
        for use in uses[:_CALLEES_MAX]:
            found = self.resolve.of_use(tree, path, use, finder)
            key = (use.name, found.complete, tuple((m.path, m.row.name_line) for m in found.meanings))
            first, count, _known = groups.get(key, (use, 0, found))
            groups[key] = (first, count + 1, found)
        return [
            Callee(
                use.name,
                use.line,
                use.column,
                count,
                tuple(self.resolve.candidate(m) for m in found.meanings[:_CANDIDATES_PER_CALLEE]),
                found.complete,
            )
            for use, count, found in groups.values()
        ]


def _are_answers(replies: Sequence[ServerReply], targets: Sequence[Meaning]) -> bool:
    """Tell whether servers answered everything, and each answer names the definition it was asked at.

    One that does not has understood something else.
    """
    return len(replies) == len(targets) > 0 and all(
        reply.is_answer and any((one.path, one.line) == (target.path, target.row.name_line) for one in reply.places)
        for reply, target in zip(replies, targets, strict=True)
    )


def _aliases(path: str, word: str, finder: DefinitionFinder) -> list[str]:
    """Return the other names that a file imports a name under."""
    return [taken.alias for taken in finder.imports(path) if taken.name == word and taken.alias not in {"", word}]


def _may_escape(targets: Sequence[Meaning], finder: DefinitionFinder) -> bool:
    """Tell whether uses may be of an object whose type no server can know: members, where types are not declared."""
    return any(finder.modules.language_of(target.path) in _DYNAMIC and _is_member(target, finder) for target in targets)


def _check(request: RefsRequest) -> None:
    if not 1 <= request.limit <= REFS_LIMIT_MAX:
        raise UsageError(f"--limit must be from 1 to {REFS_LIMIT_MAX}, found {request.limit}")
    if not 0 < request.deadline_s <= REFS_DEADLINE_S_MAX:
        raise UsageError(
            f"--deadline must be seconds above 0 and up to {REFS_DEADLINE_S_MAX:g}, found {request.deadline_s:g}"
        )
    check_budget(request.budget_tokens)


def _is_member(meaning: Meaning, finder: DefinitionFinder) -> bool:
    """Tell whether a definition is reached through an object or a class."""
    row = meaning.row
    if row.kind in ("property", "method"):
        return True
    if row.parent < 0:
        return False
    return finder.rows(meaning.path)[row.parent].kind in CLASS_KINDS
