"""`ctx eval` on real histories: the answer, what it leaves behind (nothing), and every way it can be refused."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.git_repository import GitRepository
from tests.integration.conftest import UNWATCHED

if TYPE_CHECKING:
    from .conftest import Run, Sandbox

CART = """class Cart:
    def add_line(self, article, count):
        self.lines[article] = count

    def shipping_costs(self, total):
        return {}
"""
COOKIE = """def sign(value, secret):
    return hmac(value, {})


def load_cookie(header):
    return header.split(";")
"""
QUESTIONS = {
    "fix(shop): shipping is free for large totals (#12)": {"shop/cart.py": CART.format("0 if total > 50 else 4")},
    "Signature of cookies uses the secret": {"shop/cookie.py": COOKIE.format("secret")},
    "Carts in shipping: sign costs, too": {
        "shop/cart.py": CART.format("sign(total)"),
        "shop/cookie.py": COOKIE.format("secret, sha"),
    },
}
REFUSED = {
    "Release 1.1": {"shop/cart.py": CART.format("5")},
    "Describe the shop in more words": {"README.md": "A shop with carts and cookies.\n"},
    "Check that shipping costs nothing": {"tests/test_cart.py": "def test_costs():\n    assert True\n"},
    "Count the articles of a cart": {"shop/count.py": "def count(cart):\n    return len(cart)\n"},
}


def _history(sandbox: Sandbox) -> GitRepository:
    repository = GitRepository(sandbox.segment)
    start = {"shop/cart.py": CART.format("4"), "shop/cookie.py": COOKIE.format("1"), "README.md": "A shop.\n"}
    repository.commit("Begin a shop with carts", start | {"tests/test_cart.py": "def test_costs():\n    pass\n"})
    for subject, files in (QUESTIONS | REFUSED).items():
        repository.commit(subject, files)
    return repository


@pytest.fixture
def history(sandbox: Sandbox) -> GitRepository:
    """A segment with three commits that can be asked and five that cannot."""
    (sandbox.root / "tmp").mkdir()
    return _history(sandbox)


def _eval(sandbox: Sandbox, *arguments: str, **options: Any) -> Run:
    (sandbox.root / "tmp").mkdir(exist_ok=True)
    environment = {"TMPDIR": str(sandbox.root / "tmp"), "CTX_TEST": "1"} | options.pop("env", {})
    run = sandbox.run("eval", *arguments, env=environment, **options)
    assert [] == list((sandbox.root / "tmp").iterdir()), "a temporary folder was left behind"
    return run


def _tree_of(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return size, time and content of everything below a folder but `_ctx`."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and "_ctx" not in path.parts
    }


def test_history_is_asked_and_left_as_it_is(sandbox: Sandbox, history: GitRepository) -> None:
    """Each commit is asked in the tree before it; no byte of working tree and repository moves."""
    history.write({"shop/cart.py": "def unsaved(): ...\n"})
    before = _tree_of(sandbox.segment)
    run = _eval(sandbox, "--json")
    assert (0, "") == (run.exit_code, run.err)
    document = run.document
    assert before == _tree_of(sandbox.segment)
    assert ["ctx.eval/1", 8, True, 3] == [document[k] for k in ("schema", "examined", "examined_all", "possible")]
    assert "schema" == next(iter(document))
    assert {
        "version or dependency bump": 1,
        "no source file changed": 1,
        "only tests changed": 1,
        "source files only added, removed or moved": 1,
        "no parent": 1,
    } == document["refused"]
    first, second, third = document["commits"]
    assert list(QUESTIONS) == [first["subject"], second["subject"], third["subject"]]
    assert "shipping is free for large totals" == first["query"]
    assert {
        "files": ["shop/cart.py"],
        "functions": [{"path": "shop/cart.py", "qualname": "Cart.shipping_costs", "start_line": 5, "end_line": 6}],
    } == first["truth"]
    assert {"files": [1], "functions": [1]} == first["ranks"]
    assert first["parent"] == history.git("rev-parse", f"{first['sha']}~1").strip()
    assert "2023-11-15T00:13:20+00:00" == first["date"]
    assert (
        dict.fromkeys(("recall_1", "recall_10", "mrr", "ndcg_10", "function_recall_10"), 1.0).items()
        <= first["metrics"].items()
    )
    assert 0 < first["metrics"]["tokens_to_first"] < 100
    assert [False, False, True] == [first["leaky"], second["leaky"], third["leaky"]]
    assert [3, 2, 1] == [document[group]["commits"] for group in ("all", "clean", "leaky")]
    assert 1.0 == document["clean"]["recall_10"]["mean"]
    assert [1.0, 1.0] == document["clean"]["recall_10"]["interval"]


def test_only_the_command_itself_is_in_telemetry(sandbox: Sandbox, history: GitRepository) -> None:
    """Searches and parses of the replayed trees are no work of the user's segment, at any level."""
    for level in ("lite", "full"):
        assert 0 == _eval(sandbox, env={"CTX_TELEMETRY": level}).exit_code
    events = sandbox.events()
    assert ["command.start", "ctx.eval", "command.end"] * 2 == [event["cmd"] for event in events]
    assert {"limit": 50, "mode": "evaluate"} == events[1]["args"]
    assert ("ok", 3) == (events[1]["result"]["status"], events[1]["result"]["commits"])
    assert not list(sandbox.home.rglob("*spill*"))


def test_text_shows_the_table_and_the_worst(sandbox: Sandbox, history: GitRepository) -> None:
    """The groups side by side, then what was expected and where it was."""
    run = _eval(sandbox)
    assert (0, "") == (run.exit_code, run.err)
    lines = run.out.splitlines()
    assert lines[0].startswith("3 commits asked of 3 possible ones (8 looked at, seed 0) in ")
    assert "all (3)" in lines[2]
    assert any(line.startswith("recall@10 ") and "1.000 [1.000, 1.000]" in line for line in lines)
    assert any(line.startswith("tokens to first hit") for line in lines)
    worst = lines[lines.index("worst") + 1 :]
    assert "  shop/cart.py (Cart.shipping_costs): file 1" in worst


def test_sample_and_range_are_the_callers(sandbox: Sandbox, history: GitRepository) -> None:
    """A number, a seed and revisions choose the commits, the same ones every time."""
    one = _eval(sandbox, "--commits", "1", "--seed", "3", "--json").document
    again = _eval(sandbox, "-n", "1", "--seed", "3", "--json").document
    assert 1 == len(one["commits"])
    drop = {"took_ms", "query_ms", "query_ms_p50", "query_ms_p95"}

    def timeless(found: Any) -> Any:
        if isinstance(found, dict):
            return {key: timeless(value) for key, value in found.items() if key not in drop}
        return [timeless(value) for value in found] if isinstance(found, list) else found

    assert timeless(one) == timeless(again)
    ranged = _eval(sandbox, "--since", "HEAD~6", "--until", "HEAD~4", "--json").document
    assert list(QUESTIONS)[1:] == [commit["subject"] for commit in ranged["commits"]]


def test_settings_and_stages_are_compared_in_pairs(sandbox: Sandbox, history: GitRepository) -> None:
    """The same commits in both settings; a setting that changes the index gets an index of its own."""
    run = _eval(sandbox, "--compare", "search.limit=1", "--without", "coherence", "--json")
    assert (0, "") == (run.exit_code, run.err)
    compared = run.document["compare"]
    assert "search.limit=1, without coherence" == compared["with"]
    assert [1, 1, 1] == [commit["compare"]["hits"] for commit in run.document["commits"]]
    recall = compared["difference"]["recall_10"]
    assert (0, 1) == (recall["better"], recall["worse"])
    assert recall["mean"] < 0 < recall["p"] <= 1
    tokens = _eval(sandbox, "--compare", "index.max_file_bytes=120", "--json").document
    assert {"changed file is not indexed": 2}.items() <= tokens["refused"].items()
    text = _eval(sandbox, "--compare", "tokens.encoding=o200k_base").out
    assert "tokens.encoding=o200k_base (instead of the settings in force)" in text


def test_later_version_is_compared_with_an_earlier_answer(sandbox: Sandbox, history: GitRepository) -> None:
    """The same commits are asked again, new ones are not, lost ones are counted."""
    saved = sandbox.root / "earlier.json"
    run = _eval(sandbox, "--save", str(saved), "--json")
    assert run.document == json.loads(saved.read_bytes())
    history.commit("Carts forget what they held", {"shop/cart.py": CART.format("7")})
    document = _eval(sandbox, "--baseline", str(saved), "--json").document
    assert ("earlier.json", 3, 0) == tuple(document["baseline"][key] for key in ("with", "commits", "missing"))
    assert (0, 0, 1.0) == tuple(document["baseline"]["difference"]["ndcg_10"][key] for key in ("better", "worse", "p"))
    earlier = json.loads(saved.read_bytes())
    earlier["commits"][0]["sha"] = "0" * 40
    earlier["commits"][1]["query"] = "other words"
    earlier["commits"][1]["metrics"]["recall_10"] = 0.0
    saved.write_text(json.dumps(earlier))
    run = _eval(sandbox, "--baseline", str(saved))
    assert 0 == run.exit_code
    assert [
        "ctx: 1 of the 3 commits of earlier.json cannot be asked here",
        "ctx: 1 commits are asked in other words than in earlier.json",
    ] == run.err.splitlines()
    assert "since earlier.json" in run.out


def test_wrong_use_is_one_line_and_code_2(sandbox: Sandbox, history: GitRepository) -> None:
    """Refused before any work, with what to do; `--json` prints it as an object, too."""
    for arguments, complaint in (
        (("--since", "nowhere"), "--since nowhere: no commit of that name here; give a branch, a tag or a commit id"),
        (("--commits", "x"), "Invalid value for '--commits'"),
    ):
        run = _eval(sandbox, *arguments)
        assert 2 == run.exit_code
        assert complaint in run.complaint
    run = _eval(sandbox, "--save", "shop", "--json")
    assert ("ctx.eval/1", 2) == (run.document["schema"], run.document["error"]["exit_code"])


def test_history_without_a_question_says_why(sandbox: Sandbox) -> None:
    """Exit code 1, the object all the same, and a count for each reason."""
    repository = GitRepository(sandbox.segment)
    repository.commit("Begin a shop with carts", {"a.py": "def f(): ...\n"})
    repository.commit("Release 1.1", {"a.py": "def f(): return 1\n"})
    repository.commit("Say more about the module", {"a.py": "X = 1\ndef f(): return 1\n"})
    run = _eval(sandbox, "--json")
    assert 1 == run.exit_code
    assert [] == run.document["commits"]
    reasons = "1 no existing function changed, 1 no parent, 1 version or dependency bump"
    assert f"none of 3 commits can be asked: {reasons}" == run.complaint
    text = _eval(sandbox)
    assert (1, "") == (text.exit_code, text.out)


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("--since", "HEAD"), "--since HEAD"),
        (("--since", "HEAD", "--until", "HEAD~1"), "--since HEAD --until HEAD~1"),
        (("--until", "HEAD~5", "--segment", "late"), "--until HEAD~5"),
    ],
)
def test_a_range_without_a_commit_is_what_is_complained_about(
    sandbox: Sandbox, history: GitRepository, arguments: tuple[str, ...], asked: str
) -> None:
    """Not the segment, which has a history."""
    history.commit("Begin something late", {"late/a.py": "def f(): ...\n"})
    run = _eval(sandbox, *arguments)
    assert (1, "") == (run.exit_code, run.out)
    assert f"{asked} leaves no commit that touches this segment; name other revisions" == run.complaint


def test_what_cannot_be_asked_is_one_line_and_code_3(sandbox: Sandbox) -> None:
    """No repository, no commit, no git."""
    outside = {"GIT_CEILING_DIRECTORIES": str(sandbox.root)}
    run = _eval(sandbox, env=outside)
    assert 3 == run.exit_code
    assert "not in a git repository" in run.complaint
    GitRepository(sandbox.segment)
    run = _eval(sandbox)
    assert 3 == run.exit_code
    assert "has no commits yet" in run.complaint
    run = _eval(sandbox, env={"PATH": str(sandbox.root / "tmp")})
    assert 3 == run.exit_code
    assert "git is not installed" in run.complaint


def test_shallow_bare_linked_and_partial_views_of_a_history(sandbox: Sandbox, history: GitRepository) -> None:
    """A shallow clone is asked as far as it goes, a bare one and a worktree as a whole, a subfolder by its own."""
    at = {name: str(sandbox.root / name) for name in ("shallow", "bare", "tree")}
    history.git("clone", "--quiet", "--depth=7", f"file://{history.root}", at["shallow"])
    history.git("clone", "--quiet", "--bare", ".", at["bare"])
    history.git("worktree", "add", "--quiet", "--detach", at["tree"])
    shallow = _eval(sandbox, "--segment", at["shallow"], "--json")
    assert 2 == len(shallow.document["commits"])
    assert "a shallow clone: its 7 commits are asked; `git fetch --unshallow` gets the rest" == shallow.complaint
    for segment in (at["bare"], at["tree"]):
        assert 3 == len(_eval(sandbox, "--segment", segment, "--json").document["commits"])
    below = _eval(sandbox, "--segment", str(sandbox.segment / "shop"), "--json").document
    assert [["cart.py"], ["cookie.py"], ["cart.py", "cookie.py"]] == [c["truth"]["files"] for c in below["commits"]]
    (sandbox.segment / "untracked").mkdir()
    run = _eval(sandbox, "--segment", str(sandbox.segment / "untracked"))
    assert 1 == run.exit_code
    assert "no commit of the history touches this segment" in run.complaint


def test_files_left_out_of_the_trees_are_told(sandbox: Sandbox, history: GitRepository) -> None:
    """What is over the size limit cannot be found, and that is said."""
    history.commit("Keep a picture of carts", {"picture.txt": "x" * 5000})
    history.commit("Carts know their costs better", {"shop/cart.py": CART.format("9")})
    run = _eval(sandbox, "--json", env={"CTX_INDEX_MAX_FILE_BYTES": "4000"})
    assert 4 == len(run.document["commits"])
    assert run.complaint.startswith("1 files of the replayed trees were left out: over the size limit")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_evaluation_leaves_nothing(
    sandbox: Sandbox, history: GitRepository, number: signal.Signals
) -> None:
    """Exit code 130, no folder, no process, a repository as it was."""
    fifo = sandbox.root / "fifo"
    os.mkfifo(fifo)
    programs = sandbox.root / "programs"
    programs.mkdir()
    # A git that stops before it hands out contents: opening the other end of the pipe says that it is there.
    real = os.environ["PATH"]
    (programs / "git").write_text(
        f'#!/bin/sh\ncase "$*" in *"cat-file --batch"*) : > {fifo}; read -r line; read -r line; exit 1;; esac\n'
        f'PATH={real} exec git "$@"\n'
    )
    (programs / "git").chmod(0o755)
    before = _tree_of(sandbox.segment)
    temporary = sandbox.root / "tmp"
    process = sandbox.start("eval", env={**UNWATCHED, "PATH": f"{programs}:{real}", "TMPDIR": str(temporary)})
    with fifo.open("rb"):
        assert 1 == len(list(temporary.iterdir()))
    process.send_signal(number)
    run = sandbox.finish(process)
    assert (130, "interrupted; what was finished is kept") == (run.exit_code, run.complaint)
    assert [] == list(temporary.iterdir())
    assert before == _tree_of(sandbox.segment)
