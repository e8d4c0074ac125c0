"""Ranking: from candidates the index found to the order they are shown in.

A pipeline of pure stages over scored candidates. Each stage can be switched off by name (for ablation) and has its
numbers in `RankingWeights` alone. Scores are relative to the best BM25 score of the query, which is 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .identifiers import split_identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .query import Query


@dataclass(frozen=True, slots=True)
class FieldWeights:
    """How much a term counts in each indexed field (BM25's column weights)."""

    name: float = 6.0
    scope: float = 3.0
    head: float = 3.0
    body: float = 1.0


@dataclass(frozen=True, slots=True)
class RankingWeights:
    """Every number of the pipeline."""

    fields: FieldWeights = field(default_factory=FieldWeights)
    later_part: float = 0.5
    definition_exact: float = 1.5
    definition_in_sentence: float = 0.6
    definition_not_member: float = 0.5
    definition_stem_bonus: float = 0.4
    similar_name: float = 0.7
    qualified_scope: float = 0.8
    name_coverage: float = 0.33
    path_word: float = 0.2
    coherence: float = 0.7
    damp_test: float = 0.3
    damp_prose: float = 0.4
    damp_example: float = 0.7
    damp_vendored: float = 0.5
    damp_generated: float = 0.5
    damp_data: float = 0.5
    damp_initialiser: float = 0.85
    damp_legacy: float = 0.7
    damp_internal: float = 0.85
    damp_unimported: float = 0.8
    focus: float = 0.5
    same_file: float = 0.6
    broad_places: int = 7
    file_strength: float = 0.5
    deep_size: float = 2.0


DEFAULT_WEIGHTS = RankingWeights()


class Candidate(NamedTuple):
    """One chunk the index offers, with what ranking needs to know; `bm25` is positive, larger is better.

    `nearness` is 1 in a file of the caller's focus, 0.5 in one that it imports or that imports it.

    A named tuple because a query makes hundreds: a frozen dataclass takes ten times as long to fill.
    """

    chunk_id: int
    path: str
    language: str
    kind: str
    name: str
    qualname: str
    signature: str
    doc: str
    names: str
    start_line: int
    end_line: int
    tokens: int
    snippet_tokens: int
    digest: str
    twin: int
    generated: bool
    bm25: float
    part: int = 1
    is_imported: bool = True
    nearness: float = 0.0


class Run(NamedTuple):
    """Neighbouring chunks of a file shown as one place; `best` scored highest, `chunks` stand in line order."""

    score: float
    best: Candidate
    chunks: tuple[Candidate, ...]


Scored = list[tuple[float, Candidate]]

_TEST_DIRECTORY = re.compile(r"(^|/)(tests?|testing|specs?|__tests__|e2e|fixtures?|testdata)/")
_TEST_FILE = re.compile(
    r"(^|/)(test_[^/]*|[^/]*_tests?\.\w+|[^/]*[.\-](test|spec)\.\w+|conftest\.py|[^/]*Tests?\.(java|cs|kt|scala|php))$"
)
_EXAMPLE = re.compile(r"(^|/)(examples?|samples?|demos?|docs?_src|tutorials?|benchmarks?|docs?)/")
_VENDORED = re.compile(r"(^|/)(vendor|_vendor|vendored|third_party|thirdparty|extern|external|deps)/")
_INITIALISER = re.compile(r"(^|/)(__init__\.pyi?|index\.[jt]sx?|mod\.rs)$|\.pyi$|\.d\.ts$")
_LEGACY = re.compile(r"(^|/)(_?legacy|_?deprecated|_?compat|experimental|old)(/|\.\w+$)")
_INTERNAL = re.compile(r"(^|/)(_(?!_)[^/]*|internals?)(/|\.\w+$)")
"""Private by its name: a question in words is about what a reader meets first."""
_PROSE_LANGUAGES = frozenset({"markdown", "text"})
_MEMBER_KINDS = frozenset({"method", "property"})
_LIKENESS_MIN = 0.6
_DEEP_TOKENS_MAX = 600
"""About sixty lines: beyond, a definition is not more likely to be a part of the task."""
_DATA_LANGUAGES = frozenset({"text"})
_RUN_OF_LINES_KINDS = frozenset({"module", "section", "text"})
"""Kinds of chunks that are no definition: lines between definitions, headings' texts, windows."""
_DATA_FILE = re.compile(
    r"\.(po|pot|json|csv|tsv|lock|svg|xml|ya?ml|toml|txt|cfg|ini|log|sql|snap)$|(^|/)(changelog|changes|history|news)[^/]*$",
    re.IGNORECASE,
)

_ASKS_FOR_TESTS = frozenset({"test", "tests", "testing", "spec", "specs", "fixture", "fixtures", "pytest", "unittest"})
_ASKS_FOR_PROSE = frozenset(
    """changelog changes doc docs documentation documented faq guide guides howto installation license manual readme
    release tutorial tutorials wiki""".split()
)
_ASKS_FOR_EXAMPLES = frozenset({"example", "examples", "sample", "demo", "tutorial", "docs", "documentation"})


def score_bm25(_query: Query, candidates: Sequence[Candidate], _weights: RankingWeights) -> Scored:
    """Start from BM25, scaled so that the best candidate has 1."""
    best = max((c.bm25 for c in candidates), default=0.0) or 1.0
    return [(c.bm25 / best, c) for c in candidates]


def boost_definitions(query: Query, scored: Scored, weights: RankingWeights) -> Scored:
    """Lift chunks that define a name the query asks for; more when the file is named after it, too.

    A name alone means a class or function before a member of that name, and a class before its constructor.
    """
    if not query.identifiers:
        return scored
    wanted = {name.lower(): name for name in query.identifiers}
    full = weights.definition_exact if query.shape != "sentence" else weights.definition_in_sentence
    scope = query.qualified_parts[:-1]
    asked = query.identifiers[0].lower()
    is_lookup = query.shape != "sentence"
    is_undefined = is_lookup and not any(
        asked == c.name.lower() or (c.names and asked in c.names.lower().split()) for _score, c in scored
    )
    result = []
    for score, c in scored:
        lifted = score
        name = c.name.lower()
        if c.kind not in _RUN_OF_LINES_KINDS and name in wanted:
            lift = full * _spelling(wanted[name], c.name)
            if c.part > 1 or _is_constructor(c):
                # Its text may match best of all, because it is short; the definition itself is another chunk.
                lift *= weights.later_part
                lifted *= weights.later_part if is_lookup else 1.0
            elif is_lookup and not scope and c.kind not in _MEMBER_KINDS:
                lift += weights.definition_not_member
            lifted += lift
            if "".join(split_identifier(_stem(c.path))) == "".join(split_identifier(c.name)):
                lifted += weights.definition_stem_bonus
            lifted += weights.qualified_scope * _share_in_order(scope, c)
        elif c.names and any(inner.lower() in wanted for inner in c.names.split()):
            lifted += 0.5 * full + weights.qualified_scope * _share_in_order(scope, c)
        elif is_undefined and c.kind not in _RUN_OF_LINES_KINDS:
            lifted += full * weights.similar_name * _likeness(name, asked)
        result.append((lifted, c))
    return result


def boost_names(query: Query, scored: Scored, weights: RankingWeights) -> Scored:
    """Lift chunks whose name is made of the question's words, by the share of the name that was said."""
    if query.shape != "sentence":
        return scored
    said = {_singular(term) for term in query.terms}
    result = []
    for score, c in scored:
        parts = _name_parts(c.name)
        share = sum(part in said for part in parts) / len(parts) if parts else 0.0
        result.append((score + weights.name_coverage * share, c))
    return result


def boost_paths(query: Query, scored: Scored, weights: RankingWeights) -> Scored:
    """Lift files whose path holds the query's words; the file's own name counts twice its folders'."""
    said = {_singular(term) for term in query.terms}
    result = []
    for score, c in scored:
        stem, above = _path_parts(c.path)
        in_stem = len(said & stem) / len(stem) if stem else 0.0
        in_folders = len(said & above) / len(above) if above else 0.0
        result.append((score + weights.path_word * (in_stem + 0.5 * in_folders) * min(1.0, score + 0.2), c))
    return result


def lift_coherent_files(_query: Query, scored: Scored, weights: RankingWeights) -> Scored:
    """Lift the best chunk of a file by what its other good chunks scored: several matches are no accident."""
    totals: dict[str, float] = {}
    best: dict[str, tuple[float, int]] = {}
    for at, (score, c) in enumerate(scored):
        totals[c.path] = totals.get(c.path, 0.0) + score
        if c.path not in best or score > best[c.path][0]:
            best[c.path] = (score, at)
    top = max(totals.values(), default=0.0)
    if not top:
        return scored
    result = list(scored)
    for path, (score, at) in best.items():
        result[at] = (score + weights.coherence * totals[path] / top, scored[at][1])
    return result


def damp_secondary(query: Query, scored: Scored, weights: RankingWeights) -> Scored:
    """Damp tests, examples, vendored, generated, legacy and internal code, data and re-exports, unless asked for."""
    said = set(query.terms)
    tests_wanted = bool(said & _ASKS_FOR_TESTS)
    examples_wanted = bool(said & _ASKS_FOR_EXAMPLES)
    prose_wanted = bool(said & _ASKS_FOR_PROSE)
    factors: dict[str, float] = {}
    result = []
    for score, c in scored:
        factor = factors.get(c.path)
        if factor is None:
            factor = path_damping(
                c.path,
                generated=c.generated,
                weights=weights,
                tests_wanted=tests_wanted,
                examples_wanted=examples_wanted,
            )
            if c.language in _DATA_LANGUAGES and _DATA_FILE.search(c.path) and _stem(c.path).lower() not in said:
                factor *= weights.damp_data
            if query.shape == "sentence":
                if _INTERNAL.search(c.path):
                    factor *= weights.damp_internal
                if c.language in _PROSE_LANGUAGES and not prose_wanted:
                    factor *= weights.damp_prose
            factors[c.path] = factor
        result.append((score * factor, c))
    return result


def damp_unimported(query: Query, scored: Scored, weights: RankingWeights) -> Scored:
    """Damp files that no other file of the segment imports: scripts, plug-ins and leftovers, not what is built on.

    How often a file is imported says nothing more about the answer (docs/ranking.md has the numbers).
    """
    if query.shape != "sentence":
        return scored
    return [(score if c.is_imported else score * weights.damp_unimported, c) for score, c in scored]


def lift_near_focus(_query: Query, scored: Scored, weights: RankingWeights) -> Scored:
    """Lift what is near the files the caller works on: these themselves, and half as much their import neighbours."""
    return [(score * (1.0 + weights.focus * c.nearness) if c.nearness else score, c) for score, c in scored]


def spread_over_files(query: Query, scored: Scored, weights: RankingWeights) -> Scored:
    """Order the first places broadly and the rest deeply.

    First a further chunk of a file counts less, so that a reader sees where the answer may be; from `broad_places` on
    the files that answer best show what else they hold, the larger definitions first, because a task seldom touches
    one function and mostly a large one. Names are looked up broadly only.
    """
    broad: Scored = []
    best: dict[str, float] = {}
    for score, c in sorted(scored, key=_order):
        broad.append((score * weights.same_file if c.path in best else score, c))
        best.setdefault(c.path, score)
    broad.sort(key=_order)
    if query.shape != "sentence" or len(broad) <= weights.broad_places:
        return broad
    first = broad[: weights.broad_places]
    placed = {c.chunk_id for _score, c in first}
    size = weights.deep_size / _DEEP_TOKENS_MAX
    deep: Scored = [
        (s * (1.0 + size * min(c.tokens, _DEEP_TOKENS_MAX)) + weights.file_strength * best[c.path], c)
        for s, c in scored
        if c.chunk_id not in placed
    ]
    deep.sort(key=_order)
    # Scores only say the order from here on: they go down from the last broad place's.
    scale = first[-1][0] / deep[0][0] if deep[0][0] > 0 else 0.0
    return first + [(score * scale, c) for score, c in deep]


STAGES: Mapping[str, Callable[[Query, Scored, RankingWeights], Scored]] = {
    "definition": boost_definitions,
    "names": boost_names,
    "paths": boost_paths,
    "coherence": lift_coherent_files,
    "damping": damp_secondary,
    "centrality": damp_unimported,
    "focus": lift_near_focus,
    "spread": spread_over_files,
}


def rank(
    query: Query,
    candidates: Sequence[Candidate],
    weights: RankingWeights = DEFAULT_WEIGHTS,
    *,
    without: frozenset[str] = frozenset(),
    on_stage: Callable[[str], None] = lambda _name: None,
) -> Scored:
    """Return the candidates with their final scores, best first; ties go by path and line.

    `without` names stages to leave out; `on_stage` is called after each stage with its name.
    """
    scored = score_bm25(query, candidates, weights)
    for name, stage in STAGES.items():
        if name not in without:
            scored = stage(query, scored, weights)
            on_stage(name)
    return sorted(scored, key=_order)


def path_damping(
    path: str,
    *,
    generated: bool,
    weights: RankingWeights = DEFAULT_WEIGHTS,
    tests_wanted: bool = False,
    examples_wanted: bool = False,
) -> float:
    """Return what a file's path and origin take off what is in it: 1 for nothing, less for secondary code."""
    factor = 1.0
    if not tests_wanted and is_test_path(path):
        factor *= weights.damp_test
    if not examples_wanted and _EXAMPLE.search(path):
        factor *= weights.damp_example
    if _VENDORED.search(path):
        factor *= weights.damp_vendored
    if generated:
        factor *= weights.damp_generated
    if _INITIALISER.search(path):
        factor *= weights.damp_initialiser
    if _LEGACY.search(path):
        factor *= weights.damp_legacy
    return factor


RUN_LINES_MAX = 60
_RUN_RANKS = 60
"""Only what ranks this high joins a neighbour: below, it matched by chance."""


def into_runs(query: Query, ranked: Sequence[tuple[float, Candidate]], limit: int) -> list[Run]:
    """Return at most `limit` places: definitions that stand next to each other and both answer become one.

    The first place stays as small as it is (it is read first, and mostly alone), and a name asks for places one by
    one. Neighbours follow each other in the index, so nothing lies between them.
    """
    runs: list[Run] = []
    at_edge: dict[tuple[str, int], int] = {}  # the chunk before and the chunk behind each run -> the run
    for rank_from_0, (score, c) in enumerate(ranked):
        near = at_edge.get((c.path, c.chunk_id), 0) if query.shape == "sentence" and rank_from_0 < _RUN_RANKS else 0
        if near > 0 and _may_join(runs[near], c):
            run = runs[near]
            is_before = c.chunk_id < run.chunks[0].chunk_id
            chunks = (c, *run.chunks) if is_before else (*run.chunks, c)
            runs[near] = run._replace(chunks=chunks)
        elif len(runs) < limit:
            near = len(runs)
            runs.append(Run(score, c, (c,)))
        else:
            if rank_from_0 >= _RUN_RANKS:
                break
            continue
        for beside in (runs[near].chunks[0].chunk_id - 1, runs[near].chunks[-1].chunk_id + 1):
            at_edge[c.path, beside] = near
    return runs


def _may_join(run: Run, c: Candidate) -> bool:
    lines = max(run.chunks[-1].end_line, c.end_line) - min(run.chunks[0].start_line, c.start_line)
    kinds = {run.best.kind, c.kind}
    return lines < RUN_LINES_MAX and not kinds & _RUN_OF_LINES_KINDS


def is_test_path(path: str) -> bool:
    """Tell whether a path is a test's by the usual conventions."""
    return bool(_TEST_DIRECTORY.search(path) or _TEST_FILE.search(path))


def _order(item: tuple[float, Candidate]) -> tuple[float, str, int]:
    return (-item[0], item[1].path, item[1].start_line)


@lru_cache(maxsize=8192)
def _name_parts(name: str) -> tuple[str, ...]:
    return tuple(_singular(part) for part in split_identifier(name))


@lru_cache(maxsize=8192)
def _path_parts(path: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the folded words of a file's own name and of the folders above it."""
    return frozenset(_name_parts(_stem(path))), frozenset(_name_parts(path.rpartition("/")[0]))


def _stem(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.partition(".")[0] or name


def _singular(word: str) -> str:
    """Fold the commonest endings, so that "sessions" meets `session` and "stored" meets `store`."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)].rstrip("e")
    return word.rstrip("e") if len(word) > 4 else word


def _spelling(asked: str, name: str) -> float:
    """Return how well a name of the same letters is spelt: capitals that were typed are meant."""
    if asked == name:
        return 1.0
    return 0.8 if asked.islower() else 0.5


def _is_constructor(c: Candidate) -> bool:
    """Tell whether a chunk is a constructor that has its class's name."""
    return c.kind == "method" and c.qualname.rpartition(".")[0].rpartition(".")[2] == c.name


def _likeness(name: str, asked: str) -> float:
    """Return how much a name is like the one asked for, from 0 to 1; one that begins with it is most like it.

    Below a likeness of 0.6 (the share of letters in common, in order) it is another name: 0.
    """
    import difflib  # late: only names that nobody defines get here

    if name.startswith(asked):
        return 1.0 - 0.2 * (len(name) - len(asked)) / len(name)
    matcher = difflib.SequenceMatcher(None, name, asked)
    ratio = matcher.ratio() if matcher.real_quick_ratio() >= _LIKENESS_MIN <= matcher.quick_ratio() else 0.0
    return 0.8 * ratio if ratio >= _LIKENESS_MIN else 0.0


def _share_in_order(scope: Sequence[str], c: Candidate) -> float:
    """Return the share of a qualified name's leading parts that the chunk's scope (path and qualname) holds."""
    if not scope:
        return 0.0
    around = {part.lower() for part in re.split(r"[^\w$]+", f"{c.path} {c.qualname}")}
    return sum(part in around for part in scope) / len(scope)
