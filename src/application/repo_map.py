"""Repo map: the ranked skeleton of a segment or a part of it, within a budget.

Owns what is read for it, what is kept between runs, and why a map is empty. Scores, choice and the printed form are
`domain.repo_map`, freshness is `refresh_index`. Words are read of a file once until it changes; the ranking is kept
until the index changes, so that a second map costs reading it back.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..domain.budget import check_budget
from ..domain.chunk_ids import digest_of
from ..domain.errors import NotFoundError
from ..domain.ranking import path_damping
from ..domain.repo_map import (
    DEFAULT_MAP_WEIGHTS,
    DrawnFile,
    MapDefinition,
    MapFile,
    MapWeights,
    draw_map,
    names_used,
    rank_files,
    reference_edges,
    score_definitions,
)
from .excerpts import SHOWN_AS_IT_IS, joined
from .focus import focus_files, indexed_spelling
from .module_index import import_edges, packed, unpacked
from .unparsed_files import failed_files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from ..domain.index_records import DefinitionRow
    from ..domain.module_map import ModuleMap
    from ..domain.ports import Clock, IndexPort, SecretRedactor, SegmentFiles, TelemetryPort, TokenCounter
    from ..domain.repo_map import Drawing, ReferenceGraph

MAP_BUDGET_TOKENS = 2048
KEPT_DEFINITIONS = 2500
"""As many of the best are kept between runs: enough for 30,000 tokens, read back in 15 ms."""

_CACHE_FORMAT = "1"
_RANKS_KEY = "map.ranks"


@dataclass(frozen=True, slots=True)
class RepoMapRequest:
    """What the caller wants; paths as typed, without any it is the whole segment."""

    paths: tuple[str, ...] = ()
    budget_tokens: int = MAP_BUDGET_TOKENS
    focus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RepoMapAnswer:
    """The map, what is on it, and what is not.

    `files_total` and `definitions_total` count what could have been on it; `not_parsed` are (path, reason) of files
    whose definitions are unknown, `recovered` those with syntax errors, where some may be missing. `reason` says why
    the map is empty.
    """

    text: str
    total_tokens: int
    files: tuple[DrawnFile, ...]
    files_total: int
    definitions_total: int
    focus: tuple[str, ...]
    not_parsed: tuple[tuple[str, str], ...]
    recovered: tuple[str, ...]
    reason: str = ""

    @property
    def definitions_shown(self) -> int:
        """How many definitions are on the map."""
        return sum(len(file.definitions) for file in self.files)

    @property
    def truncated(self) -> bool:
        """Whether the budget left anything out."""
        return self.definitions_shown < self.definitions_total or len(self.files) < self.files_total


@dataclass(frozen=True, slots=True)
class _Ranked:
    """What is kept between runs: files best first, definitions best first, and whether those are all there are."""

    files: tuple[MapFile, ...]
    definitions: tuple[MapDefinition, ...]
    is_whole: bool
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sources:
    """What a ranking is computed from."""

    graph: ReferenceGraph
    rows: dict[str, list[DefinitionRow]]
    damping: dict[str, float]


def file_ranks(index: IndexPort) -> dict[str, float]:
    """Return the rank of every ranked file relative to the mean, which is 1, as the last map left it.

    Empty when no map was made since the index changed: this reads, it never computes. A file that is not in it has
    neither definitions nor imports. For a search: `score * (1 + weight * log1p(ranks.get(path, 0.0)))`.
    """
    kept = unpacked(index.cached(_RANKS_KEY), index.meta("generation"))
    ranks = kept.get("ranks") if kept is not None else None
    return ranks if isinstance(ranks, dict) else {}


@dataclass(frozen=True, slots=True)
class RepoMapper:
    """The use case.

    `read_text` returns a file's text by its printed path, None when it cannot be read any more; `modules` the modules
    of what is indexed (see `module_index`).
    """

    files: SegmentFiles
    index: IndexPort
    counter: TokenCounter
    telemetry: TelemetryPort
    clock: Clock
    read_text: Callable[[str], str | None]
    modules: Callable[[], ModuleMap]
    weights: MapWeights = field(default=DEFAULT_MAP_WEIGHTS)
    redact: SecretRedactor = SHOWN_AS_IT_IS

    def __call__(
        self, request: RepoMapRequest, *, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> RepoMapAnswer:
        """Draw the map; `on_progress` hears of the files read for it.

        Raises: UsageError for a budget below 1; OutsideSegmentError, NotFoundError or UsageError for a path that
        leads outside, names nothing, or is no file where one is needed.
        """
        check_budget(request.budget_tokens)
        known = {path: language for path, language, _sha, _tokens in self.index.files()}
        scope = tuple(self._scope_of(path, known) for path in request.paths)
        focus = focus_files(request.focus, known, self.files)
        ranked = self._ranked(scope, focus, known, on_progress, whole=False)
        drawn = self._draw(ranked, request.budget_tokens)
        if drawn.ran_out and not ranked.is_whole:
            ranked = self._ranked(scope, focus, known, on_progress, whole=True)
            drawn = self._draw(ranked, request.budget_tokens)
        failed = failed_files(self.index)
        not_whole = [(path, reason) for path, reason in self.index.partial() if _is_inside(path, scope)]
        definitions_total = sum(file.definitions for file in ranked.files)
        return RepoMapAnswer(
            drawn.text,
            drawn.tokens,
            drawn.files,
            len(ranked.files),
            definitions_total,
            focus,
            tuple((path, reason) for path, reason in not_whole if path in failed),
            tuple(path for path, _reason in not_whole if path not in failed),
            "" if drawn.files else self._why_empty(ranked, known, request),
        )

    def _draw(self, ranked: _Ranked, budget_tokens: int) -> Drawing:
        definitions = ranked.definitions
        while True:
            drawn = draw_map(
                definitions,
                ranked.files,
                budget_tokens,
                self.counter.count,
                first=ranked.first,
                weights=self.weights,
            )
            # A mark may cost more or less than the secret, and other definitions are then shown.
            shown = [d.signature for file in drawn.files for d in file.definitions]
            if self.redact(joined(shown)) == joined(shown):
                return drawn
            marked = {signature: self.redact(signature) for signature in shown}
            if all(signature == mark for signature, mark in marked.items()):
                return drawn  # only what stands beside each other looked like one
            definitions = tuple(d._replace(signature=marked.get(d.signature, d.signature)) for d in definitions)

    def _why_empty(self, ranked: _Ranked, known: Mapping[str, str], request: RepoMapRequest) -> str:
        if not known:
            return "nothing in this segment is indexed; `ctx stats` says what was skipped and why"
        if not ranked.files:
            languages = ", ".join(sorted(set(known.values())))
            return f"none of the {len(known)} indexed files defines anything ({languages}); see `ctx search`"
        return f"a budget of {request.budget_tokens} tokens holds not even the first line; give a larger --budget"

    # --- paths -------------------------------------------------------------------------------------------------------

    def _scope_of(self, path: str, known: Mapping[str, str]) -> str:
        """Return a file's or folder's path as the index prints it; a folder ends in a slash, the segment is ""."""
        found = indexed_spelling(path, known, self.files)
        if found in known:
            return found
        folder = f"{found}/" if found else ""
        if any(other.startswith(folder) for other in known):
            return folder
        raise NotFoundError(f"{path}: nothing in it is indexed; `ctx stats` says what was skipped and why")

    # --- ranking -----------------------------------------------------------------------------------------------------

    def _ranked(
        self,
        scope: tuple[str, ...],
        focus: tuple[str, ...],
        known: Mapping[str, str],
        on_progress: Callable[[int, int], None],
        *,
        whole: bool,
    ) -> _Ranked:
        """Return files and definitions by rank, from what was kept where the index is still what it was."""
        key = f"map.{digest_of(json.dumps([_CACHE_FORMAT, sorted(scope), focus]).encode())}"
        generation = self.index.meta("generation")
        if not whole:
            kept = unpacked(self.index.cached(key), generation)
            if kept is not None:
                return _Ranked(
                    tuple(MapFile._make(row) for row in kept["files"]),
                    tuple(MapDefinition._make(row) for row in kept["definitions"]),
                    kept["is_whole"],
                    tuple(kept["first"]),
                )
        started_ns = self.clock.perf_counter_ns()
        sources = self._sources(known, on_progress)
        ranks = rank_files(sources.graph, sources.damping, focus, self.weights)
        ranked = self._order(sources, ranks, scope, focus, known, keep=None if whole else KEPT_DEFINITIONS)
        kept_document = {
            "generation": generation,
            "files": ranked.files,
            "definitions": ranked.definitions,
            "is_whole": ranked.is_whole,
            "first": ranked.first,
        }
        if not whole:
            self.index.put_cached(key, packed(kept_document))
        if not focus:
            by_path = {path: round(rank, 4) for path, rank in zip(sources.graph.paths, ranks, strict=True)}
            self.index.put_cached(_RANKS_KEY, packed({"generation": generation, "ranks": by_path}))
        duration_ns = self.clock.perf_counter_ns() - started_ns
        self.telemetry.event(
            "map.rank",
            {"files": len(sources.graph.paths)},
            {"edges": sum(map(len, sources.graph.edges)), "definitions": sum(map(len, sources.rows.values()))},
            duration_ns // 1_000_000,
            duration_ns=duration_ns,
        )
        return ranked

    def _sources(self, known: Mapping[str, str], on_progress: Callable[[int, int], None]) -> _Sources:
        words = self._words(on_progress)
        rows: dict[str, list[DefinitionRow]] = {}
        generated: set[str] = set()
        definers: dict[str, set[str]] = {}
        for stored in self.index.definitions():
            rows.setdefault(stored.path, []).append(stored.row)
            if stored.generated:
                generated.add(stored.path)
            definers.setdefault(stored.row.name, set()).add(stored.path)
        imports = import_edges(self.index, self.modules)
        graph = reference_edges(words, {name: sorted(paths) for name, paths in definers.items()}, imports, self.weights)
        damping = {
            path: path_damping(path, generated=path in generated, weights=self.weights.paths)
            for path in {*words, *rows, *known}
        }
        return _Sources(graph, rows, damping)

    def _words(self, on_progress: Callable[[int, int], None]) -> dict[str, list[str]]:
        """Return the names used in every file with code, reading those that are not known yet."""
        stored = self.index.words_used()
        total = sum(packed is None for _path, packed in stored)
        words: dict[str, list[str]] = {}
        read: list[tuple[str, bytes]] = []
        for path, words_packed in stored:
            if words_packed is not None:
                words[path] = zlib.decompress(words_packed).decode("utf-8").split("\n")
                continue
            text = self.read_text(path)
            words[path] = names_used(text) if text is not None else []
            if text is not None:
                listed = "\n".join(words[path]).encode("utf-8", "replace")
                read.append((path, zlib.compress(listed, 1)))
            on_progress(len(read), total)
        if read:
            self.index.put_words_used(read)
        return words

    def _order(
        self,
        sources: _Sources,
        ranks: list[float],
        scope: tuple[str, ...],
        focus: tuple[str, ...],
        known: Mapping[str, str],
        *,
        keep: int | None,
    ) -> _Ranked:
        """Return everything inside the scope, best first; without one, only files with definitions."""
        graph, damping = sources.graph, sources.damping
        rank_of = dict(zip(graph.paths, ranks, strict=True))
        candidates: Iterable[str] = [path for path in known if _is_inside(path, scope)] if scope else sources.rows
        files = [MapFile(path, rank_of.get(path, 0.0), len(sources.rows.get(path, ()))) for path in candidates]
        files.sort(key=lambda file: (-file.rank * damping[file.path], file.path))
        rows = {path: rows for path, rows in sources.rows.items() if _is_inside(path, scope)}
        number = {path: at for at, path in enumerate(graph.paths)}
        near = {other for path in focus if path in number for other in graph.neighbours[number[path]]}
        by_rank = sorted((graph.paths[at] for at in near), key=lambda path: (-rank_of[path] * damping[path], path))
        first = [path for path in dict.fromkeys((*focus, *by_rank)) if _is_inside(path, scope)]
        scored = score_definitions(rows, graph, ranks, damping, self.weights, keep=keep, first=first)
        is_whole = len(scored) == sum(map(len, rows.values()))
        return _Ranked(tuple(files), tuple(scored), is_whole, tuple(first))


def _is_inside(path: str, scope: Collection[str]) -> bool:
    """Tell whether a path is one of the scope's files or below one of its folders; an empty scope is everything."""
    return not scope or any(path == part or not part or (part[-1] == "/" and path.startswith(part)) for part in scope)
