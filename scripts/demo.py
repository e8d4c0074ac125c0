"""The main job on real input: search flask's source for three questions and show what the answers cost.

Run by `make run`. Fetches the pinned source distribution from the package registry once, into .cache/.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from ctx.infrastructure.tokenizer import BpeTokenCounter

PACKAGE, VERSION = "flask", "3.1.2"
QUESTIONS = (
    "how are sessions stored in cookies",
    "where does a view's return value become a response",
    "Blueprint.register",
)
CACHE = Path(__file__).resolve().parent.parent / ".cache" / "demo"


def main() -> int:
    """Fetch, search, get, and print the bill."""
    source = fetch()
    count = BpeTokenCounter().count
    print(f"Repository: {PACKAGE} {VERSION}, as released ({sum(1 for _ in source.rglob('*.py'))} Python files)\n")
    bill = []
    for question in QUESTIONS:
        found = ctx("search", question, "--limit", "3", segment=source)
        print(f"$ ctx search {question!r} --limit 3\n{found}")
        hit = json.loads(ctx("search", question, "--limit", "3", "--json", segment=source))["hits"][0]
        costs = [count(found)]
        for mode in ("skeleton", "excerpt"):
            item = json.loads(ctx("get", hit["id"], "--mode", mode, "--json", segment=source))["items"][0]
            print(f"$ ctx get {hit['id']} --mode {mode}\n{item['text'].rstrip()}\n")
            costs.append(item["tokens"])
        whole = item["file_tokens"]
        bill.append((question, hit["path"], *costs, whole))
    print_bill(bill)
    summary = json.loads((source / "_ctx" / "telemetry" / "last_run.json").read_text(encoding="utf-8"))
    print("\nThe last command, as its telemetry has it (_ctx/telemetry/last_run.json):")
    print(json.dumps({key: summary[key] for key in ("ast", "file_read", "latencies", "telemetry")}, indent=2))
    return 0


def fetch() -> Path:
    """Return the unpacked source distribution, downloading it when it is not there yet."""
    source = CACHE / f"{PACKAGE}-{VERSION}"
    if source.is_dir():
        return source
    CACHE.mkdir(parents=True, exist_ok=True)
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*download, "--no-binary", ":all:", "--dest", str(CACHE), f"{PACKAGE}=={VERSION}"], check=False
    )
    if done.returncode:
        sys.exit(f"cannot fetch {PACKAGE} {VERSION}: the package registry has to be reachable once")
    archive = next(CACHE.glob(f"{PACKAGE}-{VERSION}.tar.gz"))
    partial = CACHE / "partial"
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(partial, filter="data")
    (partial / f"{PACKAGE}-{VERSION}").rename(source)
    return source


def ctx(*arguments: str, segment: Path) -> str:
    """Run one ctx command and return what it printed."""
    command = [os.path.join(os.path.dirname(sys.executable), "ctx"), *arguments, "--segment", str(segment)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def print_bill(bill: list[tuple[str, str, int, int, int, int]]) -> None:
    """Print what was read in tokens beside what reading the answering file whole would have cost."""
    print("What it cost, in tokens (cl100k_base):\n")
    print(f"{'question':<52} {'search':>7} {'skeleton':>9} {'excerpt':>8} {'file whole':>11}")
    for question, path, search, skeleton, excerpt, whole in bill:
        print(f"{question:<52} {search:>7} {skeleton:>9} {excerpt:>8} {whole:>11}   {path}")
    spent = sum(search + skeleton + excerpt for _q, _p, search, skeleton, excerpt, _w in bill)
    whole = sum(row[-1] for row in bill)
    print(f"\nsearch + skeleton + excerpt: {spent} tokens; the three answering files whole: {whole}")
    print(f"that is {1 - spent / whole:.0%} less, without having to know beforehand which files those are")


if __name__ == "__main__":
    sys.exit(main())
