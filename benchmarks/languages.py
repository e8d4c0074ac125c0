"""Definitions ctx finds in a real source tree against those universal-ctags finds, language by language.

    python benchmarks/languages.py TREE... [--ctags PROGRAM] [--misses N]

Both look at the same files, those ctx takes for the language. A tag counts as found when ctx has a definition of that
name on that line; ctags' kinds without a counterpart in ctx (fields, locals, enumerators, …; see COUNTED) are left
out. What ctx has and ctags has not is told as well: in most languages one of the two is right, and `--misses` prints
the first few of both sides so that one can see which.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

from report import Row, machine, write_results

from ctx.infrastructure.ast_lsp import SkeletonMapBuilder
from ctx.infrastructure.languages import LANGUAGES, language_of, row_of

COUNTED: dict[str, tuple[str, frozenset[str]]] = {
    "python": ("Python", frozenset({"class", "function", "member"})),
    "javascript": ("JavaScript", frozenset({"class", "function", "generator", "getter", "setter", "method"})),
    "typescript": (
        "TypeScript",
        frozenset({"alias", "class", "enum", "function", "generator", "interface", "method", "namespace"}),
    ),
    "tsx": (
        "TypeScript",
        frozenset({"alias", "class", "enum", "function", "generator", "interface", "method", "namespace"}),
    ),
    "go": ("Go", frozenset({"const", "func", "interface", "struct", "talias", "type", "var"})),
    "rust": (
        "Rust",
        frozenset(
            {"constant", "enum", "function", "implementation", "interface", "macro", "method", "module", "struct"}
            | {"typedef"}
        ),
    ),
    "java": ("Java", frozenset({"annotation", "class", "enum", "interface", "method"})),
    "c": ("C", frozenset({"enum", "function", "macro", "struct", "typedef", "union"})),
    "cpp": ("C++", frozenset({"class", "enum", "function", "macro", "namespace", "struct", "typedef", "union"})),
    "ruby": ("Ruby", frozenset({"class", "constant", "method", "module", "singletonMethod"})),
    "php": ("PHP", frozenset({"class", "constant", "define", "function", "interface", "trait"})),
    "csharp": ("C#", frozenset({"class", "enum", "interface", "method", "namespace", "property", "struct", "typedef"})),
    "bash": ("Sh", frozenset({"function"})),
}
"""For each language ctags' name of it and those of its kinds that ctx has, too."""

NOT_COUNTED_HERE = {
    "c": frozenset({"variable"}),
    "cpp": frozenset({"variable"}),
    "java": frozenset({"constant"}),
    "csharp": frozenset({"constant"}),
    "javascript": frozenset({"constant", "object"}),
    "typescript": frozenset({"constant", "object"}),
    "tsx": frozenset({"constant", "object"}),
    "python": frozenset({"constant"}),
    "bash": frozenset({"constant"}),
}
"""Kinds of ctx that ctags has under a kind which holds much else (fields, all variables); not compared."""


_NO_NAME = re.compile(r"__anon|AnonymousFunction|\]\]$")
_SHELL_ARRAY = re.compile(r"\w+=$")
"""`names=()`, which ctags takes for a function."""
_EMPTY_MACRO = re.compile(r"/\^\s*#\s*define\s+\w+\s*(?:/[/*].*)?\$?/$")
_BEFORE_NAME = re.compile(r"^.*(?:::|\.)(?=[\w~])|^(?:.*::)?operator\s*(?=\W)")


def files_by_language(tree: Path) -> dict[str, list[Path]]:
    """Return the files of a tree that ctx parses, by language; vendored folders and `.git` are left out."""
    found: dict[str, list[Path]] = defaultdict(list)
    for folder, names, files in os.walk(tree):
        names[:] = sorted(set(names) - {".git", "node_modules", "vendor", "third_party"})
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_symlink() or path.stat().st_size > 2 * 1024 * 1024:
                continue
            language = language_of(name, path.read_bytes()[:65536])
            if row_of(language) is not None:
                found[language].append(path)
    return found


def tags_of(ctags: str, language: str, files: list[Path]) -> set[tuple[str, str, int]]:
    """Return (file, name, line) of what ctags finds."""
    dialect, kinds = COUNTED[language]
    run = subprocess.run(
        [
            ctags,
            "--output-format=json",
            f"--language-force={dialect}",
            "--fields=+nK",
            "-L",
            "-",
            "-f",
            "-",
        ],
        input="\n".join(map(str, files)),
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    )
    found = set()
    for line in run.stdout.splitlines():
        tag = json.loads(line)
        if tag["_type"] != "tag" or tag.get("kind") not in kinds or _NO_NAME.match(tag["name"]):
            continue
        if language == "bash" and _SHELL_ARRAY.match(tag["name"]):
            continue
        if tag["kind"] == "class" and "class" not in tag.get("pattern", ""):
            continue  # object literals in JavaScript, constraints of type parameters in C#
        if tag["kind"] == "macro" and _EMPTY_MACRO.match(tag.get("pattern", "")):
            continue  # an include guard or a switch
        found.add((tag["path"], _BEFORE_NAME.sub("", tag["name"]), tag["line"]))
    return found


def main() -> int:
    """Compare and write results/languages.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="+", type=Path, metavar="TREE", help="checked-out repositories")
    parser.add_argument("--ctags", default="ctags", help="universal-ctags 5.9 or later, built with JSON output")
    parser.add_argument("--misses", type=int, default=0, metavar="N", help="print the first N differences of each side")
    options = parser.parse_args()
    files: dict[str, list[Path]] = defaultdict(list)
    for tree in options.trees:
        for language, paths in files_by_language(tree.resolve()).items():
            files[language] += paths
    rows: list[Row] = []
    builder = SkeletonMapBuilder(deadline_s=60)
    for language in (row.name for row in LANGUAGES if files[row.name]):
        tags = tags_of(options.ctags, language, files[language])
        found: set[tuple[str, str, int]] = set()
        counted: set[tuple[str, str, int]] = set()
        partial, size_bytes, elapsed_s = 0, 0, 0.0
        for path in files[language]:
            source = path.read_bytes()
            started = time.perf_counter()
            skeleton = builder.extract(source, str(path), language)
            elapsed_s += time.perf_counter() - started
            size_bytes += len(source)
            partial += skeleton.status == "partial"
            for d in skeleton.definitions:
                place = (str(path), _BEFORE_NAME.sub("", d.name), d.name_line)
                found.add(place)
                if d.kind not in NOT_COUNTED_HERE.get(language, ()) and (d.has_body or language not in ("c", "cpp")):
                    counted.add(place)
        missed, only_ctx = sorted(tags - found), sorted(counted - tags)
        rows += [
            Row(f"{language}: files", "count", len(files[language]), "none"),
            Row(f"{language}: files with syntax errors", "count", partial, "none"),
            Row(f"{language}: definitions of ctags", "count", len(tags), "none"),
            Row(f"{language}: of these found by ctx", "%", 100 * (1 - len(missed) / max(len(tags), 1)), ">= 95"),
            Row(f"{language}: found by ctx alone", "count", len(only_ctx), "none"),
            Row(f"{language}: parse and extraction", "MB/s", size_bytes / 1e6 / max(elapsed_s, 1e-9), "none"),
        ]
        for title, places in (("missed", missed), ("only ctx", only_ctx)):
            for name, count in Counter(Path(place[0]).suffix for place in places).items() if options.misses else ():
                print(f"{language} {title} {name}: {count}", file=sys.stderr)
            for path_text, name, line in places[:: max(1, len(places) // options.misses)] if options.misses else ():
                text = Path(path_text).read_text(errors="replace").split("\n")[line - 1].strip()[:100]
                print(f"  {title} {path_text}:{line} {name} | {text}", file=sys.stderr)
    write_results("languages", "Definitions found, against universal-ctags", rows, machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
