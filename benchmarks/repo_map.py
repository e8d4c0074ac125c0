"""What a map of the tree before a commit holds of what the commit changed, and what it costs; beside aider's if asked.

    python benchmarks/repo_map.py REPOSITORY... [--commits N] [--seed S] [--budgets 1024,4096,8192] [--aider PYTHON]

Of each git repository (bare ones, too) commits are sampled that change one to six files of code and no more; tests do
not count. The parent's tree is checked out to a temporary folder, and `ctx map` runs on it as a process of its own.
Nothing tells the map what the commit is about, so a share of 1 is out of reach for a small budget; the comparison
is what says something. For commits with two files and more the map is also drawn around the first (`--focus`), and the
others are looked for.

`--aider` names an interpreter that can import aider; its RepoMap is then called on the same trees with the same
budgets and without chat files (with the first changed file in the chat for the focus). Times are told of the call
alone, for both, and with what comes before it: ctx's whole process, aider's import.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from report import Row, machine, write_results

from ctx.domain.ranking import is_test_path
from ctx.infrastructure.ast_lsp import SkeletonMapBuilder
from ctx.infrastructure.languages import language_of, row_of
from ctx.infrastructure.tokenizer import BpeTokenCounter

FILES_MAX = 6
RECENT_COMMITS = 3000
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? ", re.MULTILINE)

AIDER_DRIVER = """
import json, os, sys, time
started = time.perf_counter()
from aider.repomap import RepoMap
from rs_bpe.bpe import openai
encoder = openai.cl100k_base()
import_s = time.perf_counter() - started
order = json.loads(sys.stdin.read())
root = order["root"]

class Output:
    def tool_warning(self, *words, **options): pass
    tool_output = tool_error = tool_warning
    def read_text(self, path, **options):
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except (OSError, UnicodeDecodeError):
            return None

class Model:
    def token_count(self, text): return encoder.count(text)

files = []
for folder, names, found in os.walk(root):
    names[:] = sorted(name for name in names if name not in (".git", "_ctx") and not name.startswith(".aider"))
    files += [os.path.join(folder, name) for name in sorted(found)]

def draw(budget, chat):
    repo_map = RepoMap(map_tokens=budget, root=root, main_model=Model(), io=Output(), map_mul_no_files=1)
    started = time.perf_counter()
    text = repo_map.get_repo_map(chat, [path for path in files if path not in chat]) or ""
    return {"text": text, "s": time.perf_counter() - started}

cold = draw(order["budgets"][0], [])
answer = {"import_s": import_s, "cold_s": cold["s"], "focused": {}}
answer["maps"] = {str(b): draw(b, []) for b in order["budgets"]}
if order["focus"]:
    chat = [os.path.join(root, order["focus"])]
    answer["focused"] = {str(b): draw(b, chat) for b in order["budgets"]}
print("ANSWER" + json.dumps(answer))
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One commit: the files of code it changed and the functions (path, name) in which its lines were."""

    repository: Path
    parent: str
    files: tuple[str, ...]
    functions: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Figures:
    """What was measured with one tool; lists run over cases in the same order for both tools."""

    files: dict[int, list[float]] = field(default_factory=dict)
    drawn: dict[int, list[float]] = field(default_factory=dict)
    functions: dict[int, list[float]] = field(default_factory=dict)
    focused: dict[int, list[float]] = field(default_factory=dict)
    budget_share: dict[int, list[float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def took(self, what: str, seconds: float) -> None:
        """Add a time."""
        self.seconds.setdefault(what, []).append(seconds)

    def judge(self, case: Case, budget: int, sections: dict[str, set[str]], tokens: int) -> None:
        """Add what a map holds: `sections` are the names shown of each file that is on it."""
        share = statistics.fmean
        self.files.setdefault(budget, []).append(share(path in sections for path in case.files))
        self.drawn.setdefault(budget, []).append(share(bool(sections.get(path)) for path in case.files))
        if case.functions:
            held = share(name in sections.get(path, ()) for path, name in case.functions)
            self.functions.setdefault(budget, []).append(held)
        self.budget_share.setdefault(budget, []).append(tokens / budget)

    def judge_focused(self, case: Case, budget: int, sections: dict[str, set[str]]) -> None:
        """Add what a map around the first file holds of the others."""
        self.focused.setdefault(budget, []).append(statistics.fmean(path in sections for path in case.files[1:]))


def git(repository: Path, *arguments: str) -> str:
    """Return what git prints; "" when it fails (an object that a partial mirror lacks)."""
    run = subprocess.run(
        ["git", "-C", str(repository), *arguments], capture_output=True, text=True, errors="replace", check=False
    )
    return run.stdout if run.returncode == 0 else ""


def sampled(repository: Path, commits: int, seed: int) -> list[Case]:
    """Return cases of a repository, drawn without favour from its recent commits."""
    log = git(repository, "log", "--no-merges", f"--max-count={RECENT_COMMITS}", "--format=%H").split()
    random.Random(seed).shuffle(log)
    builder = SkeletonMapBuilder(deadline_s=60)
    cases: list[Case] = []
    for sha in log:
        if len(cases) == commits:
            break
        names = git(repository, "diff", "--name-only", "--diff-filter=M", f"{sha}^", sha).splitlines()
        files = [name for name in names if not is_test_path(name) and row_of(language_of(name, b"")) is not None]
        if not 1 <= len(files) <= FILES_MAX:
            continue
        functions = {found for path in files for found in changed_functions(repository, sha, path, builder)}
        cases.append(Case(repository, f"{sha}^", tuple(files), tuple(sorted(functions))))
    return cases


def changed_functions(repository: Path, sha: str, path: str, builder: SkeletonMapBuilder) -> list[tuple[str, str]]:
    """Return (path, name) of the innermost definitions around the lines of the parent that a commit replaced."""
    source = git(repository, "show", f"{sha}^:{path}").encode()
    skeleton = builder.extract(source, path, language_of(path, source))
    found = []
    for hunk in _HUNK.finditer(git(repository, "diff", "-U0", f"{sha}^", sha, "--", path)):
        first, lines = int(hunk[1]), int(hunk[2] or 1)
        for line in range(first, first + max(lines, 1)):
            definition = skeleton.enclosing(line)
            if definition is not None:
                found.append((path, definition.name))
    return found


def check_out(case: Case, folder: Path) -> bool:
    """Put the parent's tree into an empty folder; return whether git could."""
    archive = folder.with_suffix(".tar")
    run = subprocess.run(
        ["git", "-C", str(case.repository), "archive", "-o", str(archive), case.parent],
        capture_output=True,
        check=False,
    )
    if run.returncode != 0:
        return False
    shutil.unpack_archive(archive, folder, filter="data")
    archive.unlink()
    return True


def ctx(*arguments: str) -> tuple[dict[str, Any], float]:
    """Run ctx as a process; return its object and seconds."""
    started = time.perf_counter()
    run = subprocess.run([sys.executable, "-m", "ctx", *arguments, "--json"], capture_output=True, check=False)
    return json.loads(run.stdout), time.perf_counter() - started


def run_ctx(case: Case, tree: Path, budgets: list[int], figures: Figures) -> None:
    """Measure ctx on one tree."""
    segment = ["--segment", str(tree)]
    indexed, index_s = ctx("index", *segment)
    document, cold_s = ctx("map", *segment, "--budget", str(budgets[0]))
    figures.took("nothing there yet, processes", index_s + cold_s)
    figures.took("nothing there yet, the calls alone", (indexed["took_ms"] + document["took_ms"]) / 1000)
    figures.took("index there, first map, the call alone", document["took_ms"] / 1000)
    for budget in budgets:
        document, warm_s = ctx("map", *segment, "--budget", str(budget))
        figures.took("later maps, process", warm_s)
        figures.took("later maps, the call alone", document["took_ms"] / 1000)
        figures.judge(case, budget, ctx_sections(document), document["total_tokens"])
        if len(case.files) > 1:
            document, _ = ctx("map", *segment, "--budget", str(budget), "--focus", case.files[0])
            figures.judge_focused(case, budget, ctx_sections(document))


def ctx_sections(document: dict[str, Any]) -> dict[str, set[str]]:
    """Return the names shown of each file on a map of ctx's."""
    return {file["path"]: {d["name"] for d in file["definitions"]} for file in document["files"]}


def run_aider(interpreter: str, case: Case, tree: Path, budgets: list[int], figures: Figures) -> None:
    """Measure aider on one tree."""
    count = BpeTokenCounter()
    order = {"root": str(tree), "budgets": budgets, "focus": case.files[0] if len(case.files) > 1 else ""}
    run = subprocess.run(
        [interpreter, "-c", AIDER_DRIVER], input=json.dumps(order), capture_output=True, text=True, check=True
    )
    answer = json.loads(run.stdout.rpartition("ANSWER")[2])
    figures.took("nothing there yet, import and call", answer["import_s"] + answer["cold_s"])
    figures.took("nothing there yet, the calls alone", answer["cold_s"])
    for budget in budgets:
        drawn = answer["maps"][str(budget)]
        figures.took("later maps, import and call", answer["import_s"] + drawn["s"])
        figures.took("later maps, the call alone", drawn["s"])
        figures.judge(case, budget, aider_sections(drawn["text"]), count.count(drawn["text"]))
        if answer["focused"]:
            figures.judge_focused(case, budget, aider_sections(answer["focused"][str(budget)]["text"]))


def aider_sections(text: str) -> dict[str, set[str]]:
    """Return every word shown of each file on a map of aider's: a name in any of its lines counts as shown."""
    sections: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in text.splitlines():
        if line.startswith("│"):
            current.update(re.findall(r"\w+", line))
        elif line and not line.startswith("⋮"):
            current = sections.setdefault(line.rstrip(":").strip(), set())
    return sections


def rows_of(tool: str, figures: Figures, *, is_ours: bool) -> list[Row]:
    """Return the rows of one tool."""
    rows = []
    for budget in figures.files:
        for what, values in (
            ("changed files on the map", figures.files),
            ("changed files with definitions shown", figures.drawn),
            ("changed functions shown", figures.functions),
            ("other changed files on a map around the first", figures.focused),
        ):
            if values.get(budget):
                share = 100 * statistics.fmean(values[budget])
                rows.append(Row(f"{tool}, {budget} tokens: {what}", "%", share, "none"))
        over = max(0.0, 100 * (max(figures.budget_share[budget]) - 1))
        rows.append(Row(f"{tool}, {budget} tokens: furthest over the budget", "%", over, "<= 0" if is_ours else "none"))
    for what, seconds in figures.seconds.items():
        rows.append(Row(f"{tool}: {what}, p50", "s", statistics.median(seconds), "none"))
    return rows


def compared(ours: Figures, theirs: Figures) -> list[Row]:
    """Return in how many commits either map holds more of the changed files."""
    rows = []
    for budget in ours.files:
        pairs = list(zip(ours.files[budget], theirs.files[budget], strict=True))
        rows.append(
            Row(f"{budget} tokens: commits where ctx holds more", "count", sum(a > b for a, b in pairs), "none")
        )
        rows.append(Row(f"{budget} tokens: commits where aider does", "count", sum(a < b for a, b in pairs), "none"))
    return rows


def main() -> int:
    """Measure and write results/repo_map.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path, metavar="REPOSITORY", help="git repositories")
    parser.add_argument("--commits", type=int, default=20, metavar="N", help="commits of each repository (20)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which sample is drawn (0)")
    parser.add_argument("--budgets", default="1024,4096,8192", metavar="A,B", help="tokens (1024,4096,8192)")
    parser.add_argument("--aider", default="", metavar="PYTHON", help="an interpreter that has aider and rs-bpe")
    options = parser.parse_args()
    budgets = [int(part) for part in options.budgets.split(",")]
    ours, theirs = Figures(), Figures()
    measured = 0
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CONFIG_HOME"] = place
        for repository in options.repositories:
            for number, case in enumerate(sampled(repository, options.commits, options.seed)):
                tree = Path(place, f"tree-{number}")
                if not check_out(case, tree):
                    print(f"{repository} {case.parent}: git cannot give this tree, left out", file=sys.stderr)
                    continue
                run_ctx(case, tree, budgets, ours)
                if options.aider:
                    run_aider(options.aider, case, tree, budgets, theirs)
                shutil.rmtree(tree)
                measured += 1
    rows = rows_of("ctx", ours, is_ours=True)
    if options.aider:
        rows += rows_of("aider", theirs, is_ours=False) + compared(ours, theirs)
    facts = machine() | {"repositories": str(len(options.repositories)), "commits": str(measured)}
    write_results("repo_map", "Maps and what the next commit changed", rows, facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
