"""How often `ctx resolve PATH:LINE:COL` says what a language server says, kind of reference by kind of reference.

    python benchmarks/resolve_agreement.py [TREE...] --server 'basedpyright-langserver --stdio' [--references N]

Draws uses of names from Python trees (flask and django when none is given), the same number of each stratum, and asks
both about each. The server's answers are the yardstick and are kept beside the work copies of the trees: a second run
asks only ctx. Not part of `make bench`, because it needs a language server. `--python` names the interpreter whose
packages the server should see; without the trees' dependencies it has fewer answers.

Where the server's first place in the tree is, ctx's answer is `same` (its first place is that file and line),
`another` (it is a further place of the server's: a variable assigned twice has two), `listed` (the server's first is
among ctx's first five), `wrong`, or `nothing`. Where the server names only places outside the tree (standard library,
packages), ctx, which knows only the tree, is right to be `silent`, also by saying that its answer is incomplete and
a guess by name; what it states as found is a `false claim`. Where the server has no answer nothing is compared. An
attribute that it cannot follow it answers, inside a call's arguments, with the function called: no answer either.

Agreement is `same` plus `silent` in what was compared. Strata are of one size in the sample and not in the trees, so
it is told twice: plain, and weighted by how often a stratum occurs. What ctx states as found (complete, or for a better
reason than the name alone) is right when it is `same` or `another`; that share is told, too.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from definition_server import DefinitionServer, Place
from index_search import CACHE, CTX, fetch
from python_uses import ATTRIBUTES, STRATA, Use, per_stratum, sample
from report import RESULTS, machine

from ctx.application.resolve import ResolveRequest
from ctx.domain.statistics import percentile_ns
from ctx.domain.symbol_answer import GUESSES
from ctx.infrastructure.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


DEFAULT_TREES = (("flask", "3.1.2"), ("django", "5.2.8"))
REFERENCES, REFERENCES_QUICK = 500, 100
LISTED_MAX = 5
COMPARED_WITH_COMMAND_LINE = 10

SAME, ANOTHER, LISTED, WRONG, NOTHING = "same", "another", "listed", "wrong", "nothing"
SILENT, FALSE_CLAIM = "silent", "false claim"
UNKNOWN = "server silent"
VERDICTS = (SAME, ANOTHER, LISTED, WRONG, NOTHING, SILENT, FALSE_CLAIM, UNKNOWN)
AGREEING = frozenset({SAME, SILENT})


class Truth(NamedTuple):
    """What the server says of a use: its places in the tree as (path, line), whether it named others, how long."""

    places: tuple[tuple[str, int], ...]
    is_outside: bool
    elapsed_ns: int


class Said(NamedTuple):
    """What ctx says of a use: its places, best first, and whether it states them as found."""

    places: tuple[tuple[str, int], ...]
    is_claim: bool
    elapsed_ns: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One use, both answers and what comes of them."""

    tree: str
    use: Use
    truth: Truth
    said: Said

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        return judge(self.truth, self.said)


def judge(truth: Truth, said: Said) -> str:
    """Return what an answer is worth; see the module's words on each verdict."""
    if not truth.places:
        if not truth.is_outside:
            return UNKNOWN
        return FALSE_CLAIM if said.places and said.is_claim else SILENT
    if not said.places:
        return NOTHING
    if said.places[0] == truth.places[0]:
        return SAME
    if said.places[0] in truth.places:
        return ANOTHER
    return LISTED if truth.places[0] in said.places[:LISTED_MAX] else WRONG


def agreement(comparisons: Iterable[Comparison]) -> float:
    """Return the percentage that agree of what was compared; not a number when nothing was."""
    verdicts = Counter(comparison.verdict for comparison in comparisons)
    compared = verdicts.total() - verdicts[UNKNOWN]
    return 100 * sum(verdicts[verdict] for verdict in AGREEING) / compared if compared else float("nan")


def stated_precision(comparisons: Iterable[Comparison]) -> float:
    """Return the percentage of right ones among the answers that ctx states as found; not a number without any."""
    stated = [c for c in comparisons if c.said.is_claim and c.said.places and c.verdict != UNKNOWN]
    right = sum(c.verdict in (SAME, ANOTHER) for c in stated)
    return 100 * right / len(stated) if stated else float("nan")


def weighted_agreement(comparisons: Sequence[Comparison], population: Counter[str]) -> float:
    """Return the percentage with every stratum weighing what it makes up of a tree's uses."""
    total = weight = 0.0
    for stratum in STRATA:
        share = agreement(comparison for comparison in comparisons if comparison.use.stratum == stratum)
        if not math.isnan(share):
            total += share * population[stratum]
            weight += population[stratum]
    return total / weight if weight else float("nan")


def work_copy(tree: Path, folder: Path) -> Path:
    """Return a copy of a tree without what tools left in it, made once; ctx's index of it stays there."""
    copy = folder / tree.name
    if not copy.is_dir():
        shutil.copytree(tree, copy, symlinks=True, ignore=shutil.ignore_patterns("_ctx", ".git", "__pycache__"))
    return copy


def truths(tree: Path, command: str, python: str, count: int, seed: int) -> tuple[list[Use], list[Truth], Counter[str]]:
    """Draw the uses of a tree and ask the server about each, or read what an earlier run kept of just that."""
    settings = {"server": command, "python": python, "per_stratum": count, "seed": seed}
    kept = tree.with_name(f"{tree.name}.{count}-{seed}.definitions.json")
    if kept.exists():
        document = json.loads(kept.read_text(encoding="utf-8"))
        if document["settings"] == settings:
            answers = [
                Truth(tuple((path, line) for path, line in places), is_outside, elapsed_ns)
                for places, is_outside, elapsed_ns in document["answers"]
            ]
            return [Use(*use) for use in document["uses"]], answers, Counter(document["population"])
    uses, population = sample(tree, count, seed)
    with DefinitionServer(command, tree, python=python) as server:
        if uses:
            server.definition(uses[0].path, uses[0].line, uses[0].column)  # its first answer waits for the whole tree
        answers = [_truth(server, tree, use) for use in uses]
    document = {"settings": settings, "population": population, "uses": uses, "answers": answers}
    kept.write_text(json.dumps(document), encoding="utf-8")
    return uses, answers, population


def _truth(server: DefinitionServer, tree: Path, use: Use) -> Truth:
    places, elapsed_ns = server.definition(use.path, use.line, use.column)
    if use.stratum in ATTRIBUTES:
        places = [place for place in places if _is_of(place, use.name)]
    inside = [(place.path.removeprefix(f"{tree}/"), place.line) for place in places if _is_inside(place.path, tree)]
    return Truth(tuple(inside), len(inside) < len(places), elapsed_ns)


def _is_of(place: Place, name: str) -> bool:
    """Tell whether a place carries the name asked about, or is a module, which carries none."""
    return re.split(r"\W", place.text, maxsplit=1)[0] == name or place.line == 1


def _is_inside(path: str, tree: Path) -> bool:
    return Path(path).is_relative_to(tree)


def ask(services: Services, use: Use) -> Said:
    """Ask the use case behind `ctx resolve PATH:LINE:COL`; opening index and parser is not in the time."""
    resolve = services.resolve(asks_servers=False)
    request = ResolveRequest(f"{use.path}:{use.line}:{use.column}")
    started_ns = time.perf_counter_ns()
    answer = resolve(request)
    elapsed_ns = time.perf_counter_ns() - started_ns
    is_claim = answer.complete or any(found.reason not in GUESSES for found in answer.found)
    reason = answer.found[0].reason if answer.found else answer.reason
    return Said(tuple((found.path, found.line) for found in answer.found), is_claim, elapsed_ns, reason)


def by_command_line(tree: Path, use: Use) -> tuple[tuple[str, int], ...]:
    """Return the places `ctx resolve` gives as a process of its own."""
    command = [CTX, "resolve", f"{use.path}:{use.line}:{use.column}", "--no-lsp", "--segment", str(tree), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode > 1:
        raise SystemExit(f"{' '.join(command)}: exit {run.returncode}: {run.stderr.strip()}")
    return tuple((found["path"], found["line"]) for found in json.loads(run.stdout)["found"])


def table(comparisons: Sequence[Comparison]) -> list[str]:
    """Return the outcome by repository and stratum as a Markdown table."""
    columns = [SAME, ANOTHER, LISTED, WRONG, NOTHING, SILENT, FALSE_CLAIM, UNKNOWN]
    lines = [
        f"| {' | '.join(['repository', 'reference', 'n', 'agreement %', *columns])} |",
        f"| --- | --- |{' ---: |' * (len(columns) + 2)}",
    ]
    trees = sorted({comparison.tree for comparison in comparisons})
    groups = [("both" if len(trees) > 1 else trees[0], stratum) for stratum in (*STRATA, "all")]
    groups += [(tree, "all") for tree in trees] if len(trees) > 1 else []
    for tree, stratum in groups:
        chosen = [c for c in comparisons if tree in ("both", c.tree) and stratum in ("all", c.use.stratum)]
        verdicts = Counter(comparison.verdict for comparison in chosen)
        cells = [tree, stratum, str(len(chosen)), f"{agreement(chosen):.1f}"]
        lines.append(f"| {' | '.join(cells + [str(verdicts[column]) for column in columns])} |")
    return lines


def times(comparisons: Sequence[Comparison]) -> list[str]:
    """Return what an answer takes on both sides as a Markdown table."""
    lines = ["| who | repository | answer p50, ms | p95, ms |", "| --- | --- | ---: | ---: |"]
    for tree in sorted({comparison.tree for comparison in comparisons}):
        chosen = [comparison for comparison in comparisons if comparison.tree == tree]
        for who, samples in (
            ("ctx, warm process", [comparison.said.elapsed_ns for comparison in chosen]),
            ("language server, started", [comparison.truth.elapsed_ns for comparison in chosen]),
        ):
            samples.sort()
            p50, p95 = (percentile_ns(samples, numerator=at, denominator=100) / 1e6 for at in (50, 95))
            lines.append(f"| {who} | {tree} | {p50:.1f} | {p95:.1f} |")
    return lines


def misses(comparisons: Iterable[Comparison], per_kind: int) -> list[str]:
    """Return the first few disagreements of each stratum and verdict, one line each."""
    told: Counter[tuple[str, str]] = Counter()
    lines = []
    for one in sorted(comparisons, key=lambda one: (STRATA.index(one.use.stratum), one.verdict)):
        kind = (one.use.stratum, one.verdict)
        if one.verdict in (SAME, SILENT, UNKNOWN) or told[kind] == per_kind:
            continue
        told[kind] += 1
        truth = ", ".join(f"{path}:{line}" for path, line in one.truth.places) or "outside the tree"
        said = ", ".join(f"{path}:{line}" for path, line in one.said.places[:LISTED_MAX]) or "nothing"
        use = one.use
        lines.append(f"{use.stratum} | {one.verdict} | {one.tree} {use.path}:{use.line}:{use.column} {use.name} | ")
        lines[-1] += f"server {truth} | ctx {said} ({one.said.reason})"
    return lines


def main() -> int:
    """Measure and write the tables; fails when the command line and the use case disagree."""
    options = _options()
    count = per_stratum(REFERENCES_QUICK if options.quick else options.references, options.trees)
    options.work.mkdir(parents=True, exist_ok=True)
    comparisons: list[Comparison] = []
    weighted: dict[str, float] = {}
    differing = 0
    for source in options.trees:
        tree = work_copy(source, options.work.resolve())
        uses, answers, population = truths(tree, options.server, options.python, count, options.seed)
        with Services(str(tree)) as services:
            services.refresh(whole=True)
            ask(services, uses[0])  # loads what the first answer needs
            said = [ask(services, use) for use in uses]
        of_tree = [Comparison(tree.name, *row) for row in zip(uses, answers, said, strict=True)]
        weighted[tree.name] = weighted_agreement(of_tree, population)
        comparisons += of_tree
        for one in of_tree[:: max(1, len(of_tree) * len(options.trees) // COMPARED_WITH_COMMAND_LINE)]:
            found = by_command_line(tree, one.use)
            if found != one.said.places:
                differing += 1
                print(f"{one.use}: command line {found}, use case {one.said.places}", file=sys.stderr)
    _write(comparisons, weighted, differing, options)
    if options.misses:
        print("\n".join(misses(comparisons, options.misses)))
    return 1 if differing else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="*", type=Path, metavar="TREE", help="Python repositories")
    parser.add_argument("--server", required=True, metavar="COMMAND", help="a language server that speaks over stdio")
    parser.add_argument("--python", default="", metavar="PATH", help="the interpreter whose packages the server sees")
    parser.add_argument("--references", type=int, default=REFERENCES, metavar="N", help="about how many in all")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws another sample")
    parser.add_argument("--work", type=Path, default=CACHE / "resolve", help="where work copies and answers are kept")
    parser.add_argument("--misses", type=int, default=0, metavar="N", help="print the first N of each kind")
    parser.add_argument("--quick", action="store_true", help=f"{REFERENCES_QUICK} references")
    options = parser.parse_args()
    options.trees = [tree.resolve() for tree in options.trees] or [fetch(*tree) for tree in DEFAULT_TREES]
    return options


def _write(
    comparisons: list[Comparison], weighted: dict[str, float], differing: int, options: argparse.Namespace
) -> None:
    """Write results/resolve_agreement.json and .md and print the tables."""
    facts = machine() | {"server": options.server, "seed": str(options.seed)}
    title = "ctx resolve beside a language server"
    lines = [f"# {title}", "", ", ".join(f"{key} {value}" for key, value in facts.items()), ""]
    lines += [*table(comparisons), "", *times(comparisons), ""]
    lines += [f"Weighted by how often each kind occurs: {tree} {share:.1f} %." for tree, share in weighted.items()]
    lines += [f"Right among what ctx states as found: {stated_precision(comparisons):.1f} %."]
    lines += [f"Answers on the command line that differ from the use case's: {differing}."]
    rows = [
        {
            "tree": one.tree,
            **one.use._asdict(),
            "verdict": one.verdict,
            "server": one.truth._asdict(),
            "ctx": one.said._asdict(),
        }
        for one in comparisons
    ]
    document = {
        "title": title,
        "machine": facts,
        "agreement_percent": agreement(comparisons),
        "weighted_agreement_percent": weighted,
        "stated_precision_percent": stated_precision(comparisons),
        "differing_on_command_line": differing,
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "resolve_agreement.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    text = "\n".join(lines) + "\n"
    (RESULTS / "resolve_agreement.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    sys.exit(main())
