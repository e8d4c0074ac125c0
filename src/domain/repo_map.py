"""The map of a repository: what the rest of it leans on, and as much of that as a budget can show.

Owns what one file uses of another (`reference_edges`), the score of a definition (`score_definitions`), the choice
under a budget and the printed form (`draw_map`). PageRank is `centrality`, what a path says of its file `ranking`,
who imports whom `import_graph`; where words and definitions come from is the use case's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .centrality import pagerank
from .ranking import RankingWeights
from .symbols import FUNCTION_KINDS, VALUE_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from .index_records import DefinitionRow


@dataclass(frozen=True, slots=True)
class MapWeights:
    """Every number of the map; docs/map.md says what each is worth."""

    paths: RankingWeights = field(
        default_factory=lambda: RankingWeights(
            damp_test=0.1, damp_example=0.2, damp_vendored=0.3, damp_generated=0.2, damp_initialiser=1.0
        )
    )
    name_compound: float = 4.0
    name_private: float = 0.1
    name_short: float = 0.6
    name_definers_max: int = 12
    imported: float = 3.0
    import_edge: float = 1.0
    secondary_start: float = 0.1
    rank_power: float = 0.25
    flow_power: float = 0.25
    lines_power: float = 0.5
    value: float = 0.25
    private: float = 0.8
    local: float = 0.5
    same_file_decay: float = 0.93
    listing_share: float = 0.12
    focus_start: float = 0.5
    neighbour_start: float = 0.3


DEFAULT_MAP_WEIGHTS = MapWeights()

SIGNATURE_CHARS_MAX = 48
"""Longer signatures are cut: a name and its first parameters tell what is there, `ctx get` tells the rest."""
UNREFERENCED = 0.02
"""What a definition nobody names counts, relative to a file of mean rank: its score stays above 0 and ordered."""
MISSES_MAX = 60
"""How many definitions may be too long for what is left before the map is called full."""

_NAMES = re.compile(r"\b[^\W\d]\w{2,}")
_COMPOUND = re.compile(r"[^\W_]_[^\W_]|[a-z][A-Z]")


class MapDefinition(NamedTuple):
    """A definition as the map shows it; `position` and `parent` count within its file, `below` what is nested in it."""

    path: str
    position: int
    parent: int
    kind: str
    name: str
    qualname: str
    signature: str
    start_line: int
    end_line: int
    below: int
    score: float


@dataclass(frozen=True, slots=True)
class ReferenceGraph:
    """Who uses what; files go by their place in `paths`.

    `edges[i]` maps the files that i uses to weights; `named[i]` lists (file, name, weight) for the part of them that
    comes from names; `neighbours[i]` are the files that i imports or that import it.
    """

    paths: tuple[str, ...]
    edges: tuple[dict[int, float], ...]
    named: tuple[list[tuple[int, str, float]], ...]
    neighbours: tuple[frozenset[int], ...]


def names_used(text: str) -> list[str]:
    """Return the words of a file that may name a definition, sorted: three characters or more, the first no digit.

    Those of strings and comments are among them: telling them apart would mean to parse every file again, and what
    no file defines is dropped anyway.
    """
    # Sorted, because sums of floats depend on their order and a map must not differ from run to run.
    return sorted(set(_NAMES.findall(text)))


def name_weight(name: str, definers: int, weights: MapWeights = DEFAULT_MAP_WEIGHTS) -> float:
    """Return how much a use of a name says about each of the files that define it, 0 for nothing.

    Rare names say more, and so do long ones of several parts: `get` may be anything, `reverse_lazy` is one thing.
    """
    if definers > weights.name_definers_max or (name.startswith("__") and name.endswith("__")):
        return 0.0
    weight = 1.0 / definers
    if name.startswith("_"):
        weight *= weights.name_private
    if len(name) >= 8 and _COMPOUND.search(name):
        weight *= weights.name_compound
    elif len(name) <= 4:
        weight *= weights.name_short
    return weight


def reference_edges(
    words: Mapping[str, Sequence[str]],
    definers: Mapping[str, Collection[str]],
    imports: Mapping[str, Mapping[str, int]],
    weights: MapWeights = DEFAULT_MAP_WEIGHTS,
) -> ReferenceGraph:
    """Return who uses what among the files of `words`, which maps every path to the names used in it, in a fixed order.

    `definers` maps a name to the files that define it, `imports` an importer to what it imports. A name that a file
    defines itself leads nowhere: it most likely means its own. A name from an imported file counts
    `weights.imported` times, because there the import says whose it is.
    """
    paths = tuple(words)
    number = {path: at for at, path in enumerate(paths)}
    value: dict[str, tuple[float, frozenset[int]]] = {}
    for name, files in definers.items():
        weight = name_weight(name, len(files), weights)
        if weight:
            value[name] = (weight, frozenset(number[path] for path in files if path in number))
    neighbours: list[set[int]] = [set() for _ in paths]
    edges: list[dict[int, float]] = []
    named: list[list[tuple[int, str, float]]] = []
    for source, (path, used) in enumerate(words.items()):
        imported = {number[target] for target in imports.get(path, ()) if target in number} - {source}
        out = dict.fromkeys(imported, weights.import_edge)
        by_name: list[tuple[int, str, float]] = []
        for name in used:
            found = value.get(name)
            if found is None or source in found[1]:
                continue
            weight, targets = found
            for target in targets:
                counted = weight * weights.imported if target in imported else weight
                out[target] = out.get(target, 0.0) + counted
                by_name.append((target, name, counted))
        edges.append(out)
        named.append(by_name)
        neighbours[source] |= imported
        for target in imported:
            neighbours[target].add(source)
    return ReferenceGraph(paths, tuple(edges), tuple(named), tuple(frozenset(found) for found in neighbours))


def rank_files(
    graph: ReferenceGraph,
    damping: Mapping[str, float],
    focus: Collection[str] = (),
    weights: MapWeights = DEFAULT_MAP_WEIGHTS,
) -> list[float]:
    """Return the rank of every file of the graph relative to the mean, which is 1: PageRank over the references.

    `damping` is what a path takes off its file (1: nothing); what is damped also has less of a vote, or a thousand
    tests would elect what tests use. With `focus`, ranks are personalised to those files and their neighbours.
    """
    count = len(graph.paths)
    start = [damping[path] if damping[path] >= 1.0 else damping[path] * weights.secondary_start for path in graph.paths]
    if focus:
        chosen = [at for at, path in enumerate(graph.paths) if path in focus]
        near = {other for at in chosen for other in graph.neighbours[at]} - set(chosen)
        rest = 1.0 - weights.focus_start - weights.neighbour_start
        total = sum(start) or 1.0
        start = [weight / total * rest for weight in start]
        for share, files in ((weights.focus_start, chosen), (weights.neighbour_start, near)):
            for at in files:
                start[at] += share / len(files)
    return [rank * count for rank in pagerank(graph.edges, start)]


def score_definitions(
    rows: Mapping[str, Sequence[DefinitionRow]],
    graph: ReferenceGraph,
    ranks: Sequence[float],
    damping: Mapping[str, float],
    weights: MapWeights = DEFAULT_MAP_WEIGHTS,
    *,
    keep: int | None = None,
    first: Collection[str] = (),
) -> list[MapDefinition]:
    """Return the definitions of `rows` (each file's in source order) with their scores, best first.

    A score multiplies what its file is worth, how much of all rank flows through the definition's name, and how much
    code stands behind it, each to a power below 1; values, private names and what is local to a function count less.
    Further definitions of one file decay, so that a budget goes to more than one file. With `keep`, only that many are
    returned, the best of each file of `first`, and what those are nested in.
    """
    flow: dict[tuple[int, str], float] = {}
    for source, by_name in enumerate(graph.named):
        if by_name:
            share = ranks[source] / sum(graph.edges[source].values())
            for target, name, weight in by_name:
                flow[target, name] = flow.get((target, name), 0.0) + share * weight
    number = {path: at for at, path in enumerate(graph.paths)}
    order: list[tuple[float, str, int]] = []
    for path, defined in rows.items():
        at = number.get(path, -1)
        worth = (ranks[at] if at >= 0 else UNREFERENCED) ** weights.rank_power * damping[path]
        scores = sorted(_scores(defined, at, flow, weights))
        order += [
            (score * worth * weights.same_file_decay**before, path, position)
            for before, (score, position) in enumerate(scores)
        ]
    order.sort()
    wanted = order if keep is None else _with_enclosing(order, keep, rows, first)
    below = {path: _counts_below(rows[path]) for path in {path for _score, path, _position in wanted}}
    return [
        _map_definition(path, position, rows[path][position], below[path][position], -score)
        for score, path, position in wanted
    ]


def _scores(
    rows: Sequence[DefinitionRow], file: int, flow: Mapping[tuple[int, str], float], weights: MapWeights
) -> Iterator[tuple[float, int]]:
    """Yield (score, position) of one file's definitions; scores are negative, so that sorting puts the best first."""
    twins: dict[str, int] = {}
    for row in rows:
        twins[row.name] = twins.get(row.name, 0) + 1
    for position, row in enumerate(rows):
        name = row.name
        through = flow.get((file, name), 0.0) / twins[name] + UNREFERENCED
        lines = row.end_line - row.start_line + 1
        score = -(through**weights.flow_power) * lines**weights.lines_power
        if row.kind in VALUE_KINDS:
            score *= weights.value
        if name.startswith("_"):
            score *= weights.private
        if row.parent >= 0 and rows[row.parent].kind in FUNCTION_KINDS:
            score *= weights.local
        yield score, position


def _with_enclosing(
    order: Sequence[tuple[float, str, int]],
    keep: int,
    rows: Mapping[str, Sequence[DefinitionRow]],
    first: Collection[str],
) -> list[tuple[float, str, int]]:
    """Return the first `keep`, the best of each file of `first`, and what all those are nested in, in order."""
    wanted = {(path, position) for _score, path, position in order[:keep]}
    missing = set(first)
    for _score, path, position in order if missing else ():
        if path in missing:
            missing.remove(path)
            wanted.add((path, position))
    for path, position in tuple(wanted):
        parent = rows[path][position].parent
        while parent >= 0:
            wanted.add((path, parent))
            parent = rows[path][parent].parent
    return [item for item in order if item[1:] in wanted]


def _map_definition(path: str, position: int, row: DefinitionRow, below: int, score: float) -> MapDefinition:
    return MapDefinition(
        path,
        position,
        row.parent,
        row.kind,
        row.name,
        row.qualname,
        row.signature,
        row.start_line,
        row.end_line,
        below,
        score,
    )


def _counts_below(rows: Sequence[DefinitionRow]) -> list[int]:
    """Return how many definitions are nested in each, however deep; a parent stands before its children."""
    below = [0] * len(rows)
    for at in range(len(rows) - 1, -1, -1):
        if rows[at].parent >= 0:
            below[rows[at].parent] += below[at] + 1
    return below


# --- drawing ---------------------------------------------------------------------------------------------------------


class MapFile(NamedTuple):
    """A file that may be in a map; `definitions` counts all of its own."""

    path: str
    rank: float
    definitions: int


@dataclass(frozen=True, slots=True)
class DrawnFile:
    """A file in a map with what is shown of it in source order; nothing when it is only listed."""

    path: str
    rank: float
    definitions: tuple[MapDefinition, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A map as text, what is in it, and its tokens as counted on that very text.

    `ran_out` tells that there was budget left when the definitions offered came to their end.
    """

    text: str
    tokens: int
    files: tuple[DrawnFile, ...]
    ran_out: bool


def draw_map(
    scored: Sequence[MapDefinition],
    files: Sequence[MapFile],
    budget_tokens: int,
    count: Callable[[str], int],
    *,
    first: Sequence[str] = (),
    weights: MapWeights = DEFAULT_MAP_WEIGHTS,
) -> Drawing:
    """Return the best definitions that fit the budget, and by name alone the best of the other files.

    `scored` is best first and holds with each definition those it is nested in; `files` is best first; those of
    `first` are on the map before all others, with their best definition where that leaves room to list the rest of
    them. The text is never over the budget; it is empty when nothing fits.

    Lines are priced one by one and the sum is only trusted after the whole text was counted: no token of the
    encodings in use spans the start of a line, so it holds with them, and with a counter where it does not, the map
    is drawn again with less.
    """
    limit = budget_tokens
    while limit > 0:
        sheet = _Sheet(scored, files, count)
        listing = _listing([file.path for file in files])
        reserve = 0
        if listing:
            # No listing has 40 characters a token: one that long is over the budget and need not be counted.
            everything = count(listing) + 1 if len(listing) < 40 * limit else limit
            reserve = min(int(weights.listing_share * limit), everything)
        sheet.show_first(_first_ones(scored, first), first, limit)
        ran_out = sheet.fill(scored, limit - max(reserve, sheet.price_of_listing(first)))
        sheet.list_files(files, first, limit)
        text = sheet.text()
        tokens = count(text)
        if tokens <= budget_tokens:
            return Drawing(text, tokens, sheet.drawn(), ran_out)
        limit = min(limit - (tokens - budget_tokens), limit * 9 // 10)
    return Drawing("", 0, (), ran_out=False)


def _first_ones(scored: Sequence[MapDefinition], first: Sequence[str]) -> list[MapDefinition]:
    best: dict[str, MapDefinition] = {}
    wanted = set(first)
    for d in scored if wanted else ():
        if d.path in wanted:
            best.setdefault(d.path, d)
    return [best[path] for path in first if path in best]


def shortened(signature: str) -> str:
    """Return a signature of at most SIGNATURE_CHARS_MAX characters, cut after a parameter where that is not far."""
    if len(signature) <= SIGNATURE_CHARS_MAX:
        return signature
    cut = signature[: SIGNATURE_CHARS_MAX - 1]
    comma = cut.rfind(",")
    return f"{(cut[:comma] if comma > SIGNATURE_CHARS_MAX // 2 else cut).rstrip(' ,(')}…"


def _listing(paths: Iterable[str]) -> str:
    """Return files by name alone, a line for each folder."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(name)
    return "\n".join(f"{folder or '.'}/: {' '.join(names)}" for folder, names in folders.items())


class _Sheet:
    """A map being drawn: what is on it and what its lines cost.

    A container's line ends in the number of its definitions that are not shown, so adding one changes the lines of
    all it is nested in; what an addition costs is the difference.
    """

    def __init__(self, scored: Sequence[MapDefinition], files: Sequence[MapFile], count: Callable[[str], int]) -> None:
        self._count = count
        self._files = {file.path: file for file in files}
        self._at = {(d.path, d.position): d for d in scored}
        self._shown: dict[str, dict[int, int]] = {}
        """By file the definitions shown, each with the number of those below it that are not; -1 is the file."""
        self._listed: list[str] = []
        self._prices: dict[str, int] = {}
        self._tokens = 0

    def show_first(self, best: Iterable[MapDefinition], first: Sequence[str], limit: int) -> None:
        """Add the best definition of each file that comes first, leaving room to list all of them."""
        room = limit - self.price_of_listing(first)
        for d in best:
            self._add(d, room)

    def fill(self, scored: Iterable[MapDefinition], limit: int) -> bool:
        """Add what fits; return whether the definitions came to an end before the budget did."""
        misses = 0
        for d in scored:
            if not self._add(d, limit):
                misses += 1
                if misses >= MISSES_MAX:
                    return False
        return True

    def price_of_listing(self, paths: Sequence[str]) -> int:
        """Return what it costs to list those of the files that are not shown."""
        absent = _listing(path for path in paths if path in self._files and path not in self._shown)
        return self._price(absent) if absent else 0

    def list_files(self, files: Iterable[MapFile], first: Sequence[str], limit: int) -> None:
        """List files that are not shown, those of `first` before others, until one does not fit."""
        left = limit - self._tokens
        folders: set[str] = set()
        for path in dict.fromkeys((*first, *(file.path for file in files))):
            if path in self._shown or path not in self._files:
                continue
            folder, _, name = path.rpartition("/")
            cost = self._count(f" {name}")
            if folder not in folders:
                cost += self._price(f"{folder or '.'}/:")
            if cost > left:
                return
            left -= cost
            folders.add(folder)
            self._listed.append(path)

    def _add(self, d: MapDefinition, limit: int) -> bool:
        """Show a definition and what it is nested in, unless that costs too much; one already shown costs nothing."""
        shown = self._shown.get(d.path, {})
        if d.position in shown:
            return True
        chain = [d]
        while chain[0].parent >= 0:
            chain.insert(0, self._at[d.path, chain[0].parent])
        fresh = sum(link.position not in shown for link in chain)
        head = self._head(d.path, shown[-1]) if shown else ""
        hidden = shown.get(-1, self._files[d.path].definitions) - fresh
        cost = self._price(self._head(d.path, hidden)) - (self._price(head) if head else 0)
        changed = {-1: hidden}
        for depth, link in enumerate(chain, 1):
            is_shown = link.position in shown
            fresh -= not is_shown
            was = shown.get(link.position, link.below)
            changed[link.position] = was - fresh
            cost += self._price(_line(link, depth, was - fresh))
            if is_shown:
                cost -= self._price(_line(link, depth, was))
        if self._tokens + cost > limit:
            return False
        self._tokens += cost
        self._shown.setdefault(d.path, {}).update(changed)
        return True

    def _price(self, line: str) -> int:
        price = self._prices.get(line)
        if price is None:
            price = self._prices[line] = self._count(line + "\n")
        return price

    @staticmethod
    def _head(path: str, hidden: int) -> str:
        return f"{path} +{hidden}" if hidden else path

    def text(self) -> str:
        """Return the map: files by their best definition, definitions in source order, then the listing."""
        lines = []
        for path, shown in self._shown.items():
            lines.append(self._head(path, shown[-1]))
            depths = {-1: 0}
            for position in sorted(shown):
                if position >= 0:
                    d = self._at[path, position]
                    depths[position] = depths[d.parent] + 1
                    lines.append(_line(d, depths[position], shown[position]))
        if self._listed:
            lines.append(_listing(self._listed))
        return "\n".join(lines)

    def drawn(self) -> tuple[DrawnFile, ...]:
        """Return what is on the map, in the order of its text."""
        files = [
            DrawnFile(
                path,
                self._files[path].rank,
                tuple(self._at[path, position] for position in sorted(shown) if position >= 0),
            )
            for path, shown in self._shown.items()
        ]
        return (*files, *(DrawnFile(path, self._files[path].rank, ()) for path in self._listed))


def _line(d: MapDefinition, depth: int, hidden: int) -> str:
    line = f"{' ' * depth}{d.start_line} {shortened(d.signature)}"
    return f"{line} +{hidden}" if hidden else line
