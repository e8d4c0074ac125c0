"""The command line as people and programs meet it: text, JSON, exit codes, help, completion, pipes, and two parsers."""

from __future__ import annotations

import email
import http
import json
import os
import pty
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from ctx import __version__
from ctx.domain.chunk_ids import RUN_MARK

if TYPE_CHECKING:
    from tests.integration.conftest import Run, Sandbox

COMMANDS: dict[str, tuple[str, ...]] = {
    "search": ("signed cookie",),
    "get": ("shop/session.py#SignedCookie",),
    "index": (),
    "build": (),
    "validate": (),
    "sync": (),
    "stats": (),
    "doctor": (),
    "map": (),
    "resolve": ("Cart",),
    "refs": ("Cart.add_line", "--callees"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_speaks_text_and_json(repository: Sandbox, command: str) -> None:
    """Each command answers in plain text and, with --json, in one object whose first key is its schema."""
    repository.ok("index")
    text = repository.ok(command, *COMMANDS[command])
    assert text.out.strip()
    assert "\x1b" not in text.out
    run = repository.ok(command, *COMMANDS[command], "--json")
    assert 1 == run.out.count("\n")
    assert ("schema", f"ctx.{command}/1") == next(iter(run.document.items()))


def test_search_object(repository: Sandbox) -> None:
    """`ctx search --json` has the documented keys, and every hit those of a hit."""
    found = repository.json("search", "signed cookie")
    assert [
        "schema",
        "query",
        "segment",
        "hits",
        "total_tokens",
        "took_ms",
        "index",
        "resolved_by",
        "complete",
    ] == list(found)[:9]
    hit_keys = ["id", "path", "start_line", "end_line", "kind", "name", "qualname", "lang", "score", "tokens"]
    for hit in found["hits"]:
        assert [*hit_keys, "signature", "snippet"] == list(hit)[:12]
        assert 1 <= hit["start_line"] <= hit["end_line"]
        assert re.fullmatch(r"[^#]+#[^#@]+@[0-9a-f]{8}(~\d+)?", hit["id"])
    assert ["files", "as_of", "stale"] == list(found["index"])
    scores = [hit["score"] for hit in found["hits"]]
    assert sorted(scores, reverse=True) == scores
    assert "build/cart.py" not in {hit["path"] for hit in found["hits"]}


def test_three_sizes_of_one_symbol(repository: Sandbox) -> None:
    """Skeleton, raw and excerpt of a symbol: declarations only, the lines as they are, the lines and what they need."""
    texts = {
        mode: repository.json("get", "shop/cart.py#Cart", "--mode", mode)["items"][0]["text"]
        for mode in ("skeleton", "raw", "excerpt")
    }
    source = (repository.segment / "shop/cart.py").read_text()
    assert texts["raw"] in source
    assert "self.lines[article] =" in texts["raw"]
    assert "self.lines[article] =" not in texts["skeleton"]
    assert "def add_line(self, article: str, count: int = 1) -> None" in texts["skeleton"]
    assert texts["excerpt"].endswith(texts["raw"])
    assert "from .session import SignedCookie" in texts["excerpt"]
    assert len(texts["skeleton"]) < len(texts["raw"]) < len(texts["excerpt"])


def test_targets_by_every_way(repository: Sandbox) -> None:
    """Ids as words and by --ids, from any folder, in the order asked for."""
    first, second = (hit["id"] for hit in repository.json("search", "cookie")["hits"][:2])
    as_words = repository.json("get", first, second)
    assert [first, second] == [item["id"] for item in as_words["items"]]
    assert as_words["items"] == repository.json("get", "--ids", f"{first},{second}")["items"]
    assert as_words["items"] == repository.json("get", first, "--ids", second, cwd=repository.segment / "shop")["items"]
    given = repository.json("get", first, "-s", str(repository.segment), cwd=repository.home)
    assert as_words["items"][:1] == given["items"]
    by_variable = repository.json("get", first, cwd=repository.home, env={"CTX_SEGMENT": str(repository.segment)})
    assert as_words["items"][:1] == by_variable["items"]


@pytest.mark.alone  # a host would have taken the new file in before `validate` looks
def test_exit_codes(repository: Sandbox) -> None:
    """0 found, 1 nothing found or stale, 2 wrong use, 3 cannot; 130 is in test_crash_safety."""
    assert 1 == repository.run("validate").exit_code
    assert 0 == repository.run("search", "cookie").exit_code
    assert 0 == repository.run("validate").exit_code
    assert 1 == repository.run("search", "zzqqxx").exit_code
    repository.write({"shop/new.py": "def fresh(): ...\n"})
    stale = repository.run("validate", "--json")
    assert (1, False) == (stale.exit_code, stale.document["valid"])
    assert "shop/new.py" in stale.document["problems"][0]["message"]
    assert 2 == repository.run("search").exit_code
    (repository.segment / "_ctx/index.db").unlink()
    (repository.segment / "_ctx/index.db").mkdir()
    assert 3 == repository.run("search", "cookie").exit_code


def test_a_pack_goes_stale(repository: Sandbox) -> None:
    """`ctx build` writes a valid pack; after an edit `ctx validate` fails, and `ctx sync` mends it."""
    repository.ok("build")
    repository.ok("validate")
    cart = repository.segment / "shop/cart.py"
    cart.write_text(cart.read_text().replace("4.90", "5.90"))
    repository.ok("index")
    run = repository.run("validate", "--json")
    assert (1, "pack") == (run.exit_code, run.document["problems"][0]["kind"])
    repository.ok("sync")
    repository.ok("validate")
    pack = json.loads((repository.segment / "_ctx/context_pack.json").read_bytes())
    assert ["schema_version", "segment", "created_at", "digest"] == list(pack)[:4]
    assert {"index", "chunks"} <= set(pack)
    assert "5.90" in "".join(chunk["text"] for chunk in pack["chunks"])


def test_help_version_and_no_arguments(repository: Sandbox) -> None:
    """`-h` and `--help` agree everywhere and name every option; `--version` says the version; none of them writes."""
    assert f"ctx {__version__}\n" == repository.ok("--version").out
    assert repository.ok("-h").out == repository.ok("--help").out == repository.ok().out
    for command in COMMANDS:
        short, long = repository.run_each([(command, "-h"), (command, "--help")])
        assert (0, short) == (short.exit_code, long)
        for option in ("--segment", "-s", "--json"):
            assert option in short.out, command
    assert not (repository.segment / "_ctx").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(repository: Sandbox, shell: str) -> None:
    """The completion script is for ctx, and the completion itself knows commands and options."""
    script = repository.ok("--show-completion", shell).out
    assert "ctx" in script
    assert "_CTX_COMPLETE" in script
    assert "python" not in script
    words = repository.run(env={"_CTX_COMPLETE": "complete_bash", "COMP_WORDS": "ctx s", "COMP_CWORD": "1"})
    assert ["search", "sync", "stats"] == words.out.split()
    words = repository.run(env={"_CTX_COMPLETE": "complete_bash", "COMP_WORDS": "ctx search --bu", "COMP_CWORD": "2"})
    assert "--budget" in words.out.split()


def _on_terminal(sandbox: Sandbox, *arguments: str, **env: str) -> str:
    """Return what a command writes to a terminal."""
    ours, theirs = pty.openpty()
    try:
        process = sandbox.start(*arguments, stdout=theirs, stderr=theirs, env={"TERM": "xterm-256color", **env})
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # EIO: the last process let go of the terminal
                break
            if not part:
                break
            written += part
        assert 0 == process.wait()
    finally:
        os.close(ours)
    return written.decode()


def test_colour_only_on_a_terminal(repository: Sandbox) -> None:
    """Colour on a terminal, none with NO_COLOR or a dumb one, and the words are the same."""
    plain = repository.ok("search", "signed cookie").out
    coloured = _on_terminal(repository, "search", "signed cookie")
    assert "\x1b[" in coloured
    assert plain.splitlines() == re.sub(r"\x1b\[[0-9;]*m", "", coloured).splitlines()
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert plain.splitlines() == _on_terminal(repository, "search", "signed cookie", **env).splitlines()


def test_a_file_cannot_steer_the_terminal(repository: Sandbox) -> None:
    """Escape sequences in a file reach a pipe as they are and a terminal never."""
    repository.write({"evil.py": 'def evil_title():\n    return "\x1b]0;owned\x07 \x1b[2J"\n'})
    assert "\x1b]0;owned" in repository.ok("get", "evil.py", "--mode", "raw").out
    shown = _on_terminal(repository, "get", "evil.py", "--mode", "raw", NO_COLOR="1")
    assert "evil_title" in shown
    assert "\x1b" not in shown


@pytest.mark.alone  # a host indexes before the question comes
def test_progress_on_a_terminal_only(sandbox: Sandbox) -> None:
    """A first build of many files shows its progress on a terminal and is silent in a pipe."""
    sandbox.write({f"m{n}.py": f"def many_{n}(): ...\n" for n in range(450)})
    shown = _on_terminal(sandbox, "search", "many_7")
    assert "indexing" in shown
    assert "m7.py" in shown
    run = sandbox.ok("index", "--rebuild")
    assert "450 files" in run.out


@pytest.mark.parametrize(
    "arguments", [("get", "big.txt", "--mode", "raw"), ("stats",), ("--help",), ("search", "word")]
)
def test_output_into_a_closed_pipe(repository: Sandbox, arguments: tuple[str, ...]) -> None:
    """A reader that went away (`| head -1`) ends the command without a word, also with its whole output unread."""
    repository.write({"big.txt": "word after word after word\n" * 20_000})
    repository.ok("index")
    for as_json in ((), ("--json",)) if arguments != ("--help",) else ((),):
        reader, writer = os.pipe()
        os.close(reader)
        process = repository.start(*arguments, *as_json, stdout=writer)
        os.close(writer)
        run = repository.finish(process)
        assert run.exit_code == (1 if arguments == ("--help",) else 0), run  # help is typer's, and so is its 1
        assert not run.err or "more lines" in run.complaint, run


@pytest.mark.parametrize("arguments", [("search", "cookie"), ("stats", "--json"), ("--help",)])
def test_output_that_cannot_be_written(repository: Sandbox, arguments: tuple[str, ...]) -> None:
    """A full disk behind standard output is one line and exit code 3, not a silent success."""
    with open("/dev/full", "wb") as full:
        run = repository.run(*arguments, stdout=full)
    assert 3 == run.exit_code
    assert "standard output: cannot be written" in run.complaint


def test_closed_standard_streams(repository: Sandbox) -> None:
    """A command started with streams closed (`>&-`) works and writes into no file of its own instead."""
    script = (
        "import os, sys\n"
        "for fd in (0, 1, 2): os.close(fd)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'ctx', *sys.argv[1:]])\n"
    )
    for arguments, exit_code in ((("search", "cookie"), 0), (("search", ""), 2), (("--help",), 0), (("stats",), 0)):
        assert exit_code == repository.run("-c", script, *arguments, program=()).exit_code, arguments
    repository.ok("validate")
    assert repository.paths("load_cookie")


# --- the thin parser and the full command line ------------------------------------------------------------------------

_FULL = "import sys; from ctx.infrastructure.cli.app import run; sys.exit(run(sys.argv[1:]))"

SAME = (
    ("search", "signed cookie"),
    ("search", "signed cookie", "--json"),
    ("search", "--json", "signed cookie"),
    ("search", "--limit", "1", "cookie"),
    ("search", "--limit=1", "cookie"),
    ("search", "-n", "1", "cookie"),
    ("search", "-n1", "cookie"),
    ("search", "cookie", "--kind", "function", "--lang", "python", "--path", "shop"),
    ("search", "cookie", "--path", "shop/*.py", "--budget", "20"),
    ("search", "cookie", "-b", "5"),
    ("search", "cookie", "--budget-token-est", "5"),
    ("search", "cookie", "-b", "-5"),
    ("search", "cookie", "-b", " 7 "),
    ("search", "cookie", "-b", "1_0"),
    ("search", "cookie", "-b", "+7"),
    ("search", "cookie", "-b", "7.0"),
    ("search", "cookie", "-b", "\N{ARABIC-INDIC DIGIT SEVEN}"),
    ("search", "cookie", "-b", ""),
    ("search", "cookie", "--limit", "1", "--limit", "2"),
    ("search", "cookie", "--lim", "1"),
    ("search", "cookie", "--json", "--json"),
    ("search", "--", "cookie"),
    ("search", "--", "--json"),
    ("search", "cookie", "--", "--json"),
    ("search", "-"),
    ("search", "cookie", "-"),
    ("search", "cookie", "--kind", "--json"),
    ("search", "cookie", "--kind", "--"),
    ("search", "cookie", "--kind="),
    ("search", "cookie", "-s."),
    ("search", "cookie", "-s", "."),
    ("search", "cookie", "-s=."),
    ("search", "cookie", "--segment=./shop/.."),
    ("search", "cookie", "--segment", ""),
    ("search", ""),
    ("search",),
    ("search", "a", "b"),
    ("search", "cookie", "-n"),
    ("search", "cookie", "--json=1"),
    ("search", "cookie", "--no-json"),
    ("search", "cookie", "-x"),
    ("search", "cookie", "-nb"),
    ("search", "-h"),
    ("search", "cookie", "--help"),
    ("get", "shop/cart.py"),
    ("get", "shop/cart.py#Cart", "--mode", "raw", "--json"),
    ("get", "shop/cart.py#Cart", "-m", "raw"),
    ("get", "shop/cart.py#Cart", "-mraw"),
    ("get", "shop/cart.py:12", "README.md", "--budget", "30"),
    ("get", "--ids", "shop/cart.py, README.md"),
    ("get", "--ids", ","),
    ("get", "--ids", ""),
    ("get", "--ids=README.md", "shop/cart.py", "--latest"),
    ("get", "shop/cart.py", "--latest=1"),
    ("get",),
    ("get", ""),
    ("get", "--", "-x"),
    ("get", "--mode", "raw"),
    ("get", "../x"),
    ("search", "cookie", "--focus", "shop/cart.py", "--focus=README.md", "--json"),
    ("search", "cookie", "--focus", "gone.py"),
    ("resolve", "Cart"),
    ("resolve", "Cart", "--json", "-n", "1"),
    ("resolve", "--limit=0", "Cart"),
    ("resolve", "shop/cart.py:19:10"),
    ("resolve",),
    ("resolve", "a", "b"),
    ("resolve", ""),
    ("resolve", "-h"),
    ("refs", "Cart.add_line"),
    ("refs", "load_cookie", "--callers", "--json"),
    ("refs", "--callees", "shop/cart.py#Cart.add_line", "-b", "100"),
    ("refs", "load_cookie", "--callers", "--callees"),
    ("refs", "load_cookie", "--deadline", "2.5"),
    ("refs", "load_cookie", "--deadline=0"),
    ("refs", "load_cookie", "--deadline", "soon"),
    ("refs", "load_cookie", "--deadline", " 1e1 "),
    ("refs", "load_cookie", "--deadline", "nan"),
    ("refs",),
    ("map",),
    ("map", "--json"),
    ("map", "shop", "-b", "40"),
    ("map", "--focus", "shop/cart.py", "--focus", "shop/session.py", "--json"),
    ("map", "--focus"),
    ("map", "nowhere"),
)


def _comparable(run: Run) -> tuple[int, Any, str]:
    """Return a run without what differs between any two runs."""
    out = re.sub(r'"took_ms":[0-9.]+', '"took_ms":0', run.out)
    return run.exit_code, re.sub(r'"as_of":"[^"]*"', '"as_of":""', out), run.err


def test_both_parsers_agree(repository: Sandbox) -> None:
    """The parser that skips typer and typer itself give the same output, byte for byte, for any command line."""
    repository.ok("index")  # so that nobody has anything to refresh and to wait for
    thin = repository.run_each(SAME)
    full = repository.run_each(SAME, program=("-c", _FULL))
    for arguments, by_thin, by_full in zip(SAME, thin, full, strict=True):
        assert _comparable(by_full) == _comparable(by_thin), arguments
        assert "Traceback" not in by_full.err


_WITHOUT_TYPER = """
import sys
from ctx.infrastructure.cli.entry import main
code = main(sys.argv[1:])
sys.exit(99 if "typer" in sys.modules else code)
"""


def test_questions_are_answered_without_typer(repository: Sandbox) -> None:
    """Importing it takes as long as the rest of an answer: the thin path does not, help does."""
    repository.ok("index")
    commands = [
        ("search", "cookie"),
        ("search", "cookie", "--focus", "shop/cart.py"),
        ("get", "README.md"),
        ("resolve", "Cart"),
        ("refs", "Cart.add_line", "--callees"),
        ("map",),
        ("map", "-h"),
    ]
    runs = repository.run_each(commands, program=("-c", _WITHOUT_TYPER))
    assert [0, 0, 0, 0, 0, 0, 99] == [run.exit_code for run in runs]


def test_python_dash_m_and_the_script_are_one(repository: Sandbox) -> None:
    """The console script's entry point is the module's."""
    script = "import sys; from ctx.__main__ import main; sys.exit(main())"
    as_module = repository.ok("search", "cookie")
    as_script = repository.ok("search", "cookie", program=("-c", script))
    assert as_module == as_script


# --- what a search prints is what get takes --------------------------------------------------------------------------

QUESTIONS = (
    "how is a message parsed from bytes",
    "decode an encoded header value",
    "read a json number from a string",
    "encode a float as json",
    "split an address into name and domain",
    "cookie attributes and their values",
    "send a request and read the response",
    "serve files of a directory",
)


@pytest.mark.parametrize("mode", ["skeleton", "excerpt", "raw"])
def test_every_id_a_search_prints_can_be_got(sandbox: Sandbox, mode: str) -> None:
    """Of chunks and of runs of them, in every mode, on code that people wrote: no id is stale, lines are the hit's."""
    for package in (json, email, http):
        shutil.copytree(os.path.dirname(package.__file__), sandbox.segment / package.__name__)
    sandbox.ok("index")
    answers = sandbox.run_each(("search", question, "-n", "20", "-b", "100000", "--json") for question in QUESTIONS)
    hits = {hit["id"]: hit for run in answers for hit in run.document["hits"]}
    assert len(hits) > len(QUESTIONS) * 5
    assert any(RUN_MARK in wanted for wanted in hits)
    got = sandbox.json("get", *hits, "--mode", mode, "--budget", "10000000")
    assert [*hits] == [item["id"] for item in got["items"]]
    for item in got["items"]:
        hit = hits[item["id"]]
        assert (hit["path"], hit["start_line"], hit["end_line"]) == (item["path"], item["start_line"], item["end_line"])
        assert item["text"]
        lines = (sandbox.segment / item["path"]).read_text("utf-8").splitlines(keepends=True)
        own = "".join(lines[item["start_line"] - 1 : item["end_line"]])
        assert item["text"] == own if mode == "raw" else mode == "skeleton" or item["text"].endswith(own)


def test_a_focus_lifts_what_is_near_the_files_worked_on(repository: Sandbox) -> None:
    """The focus is in the object, as the index spells it; a file named so twice is one."""
    repository.write(
        {
            "a/price.py": "def net_price(order):\n    '''The price of an order.'''\n    return order\n",
            "b/price.py": "def net_price(order):\n    '''The price of an order.'''\n    return order\n",
            "b/user.py": "from b.price import net_price\n",
        }
    )
    for focus in ("b/price.py", "./b/user.py"):
        found = repository.json("search", "net_price", "--focus", focus, "--focus", focus)
        assert [focus.removeprefix("./")] == found["focus"]
        assert "b/price.py" == found["hits"][0]["path"]
    assert "a/price.py" == repository.json("search", "net_price", "--focus", "a/price.py")["hits"][0]["path"]
    assert "focus" not in repository.json("search", "net_price")


def test_a_focus_that_is_no_file_is_one_line(repository: Sandbox) -> None:
    """Unknown, a folder, outside, or where nothing is ranked."""
    commands = [
        (("search", "cart", "--focus", "shop/crat.py"), 1, "the nearest: shop/cart.py"),
        (("search", "cart", "--focus", "shop"), 2, "--focus shop: not an indexed file"),
        (("search", "cart", "--focus", "/etc/passwd"), 2, "outside the segment"),
        (("search", "-F", "cart", "--focus", "shop/cart.py"), 2, "--focus ranks"),
    ]
    for (_arguments, exit_code, message), run in zip(
        commands, repository.run_each(arguments for arguments, _code, _message in commands), strict=True
    ):
        assert (exit_code, "") == (run.exit_code, run.out)
        assert message in run.complaint


# --- files that must not be parsed -----------------------------------------------------------------------------------


def test_a_file_that_crashed_its_parser_is_never_parsed_again(sandbox: Sandbox) -> None:
    """Every command that would parse it answers from its text, in seconds, and says why."""
    bomb = "class Bomb { /* bombword */ }\n" + "\n".join(["a<" * 150] * 219) + "\n"
    sandbox.write({"A.java": bomb, "B.java": "class B { }\n"})
    sandbox.ok("index")
    ((path, reason),) = ((row["path"], row["reason"]) for row in sandbox.json("stats")["index"]["failed"])
    # On a machine with much else to do the parser's deadline comes before the limit.
    assert re.fullmatch(
        r"parsing (it takes more than 768 MiB of memory; |took longer than 5 s; the file is )indexed as text", reason
    )
    assert "A.java" == path
    skeleton, excerpt, place, refs, mapped, stats = sandbox.run_each(
        [
            ("get", "A.java", "--json"),
            ("get", "A.java:1", "-b", "50", "--json"),
            ("resolve", "A.java:1:1", "--json"),
            ("refs", "A.java:1:7", "--json"),
            ("map", "--json"),
            ("stats",),
        ]
    )
    for run in (skeleton, excerpt):
        assert (0, False, [reason]) == (
            run.exit_code,
            run.document["complete"],
            [item["note"] for item in run.document["items"]],
        )
        assert reason in run.err
    assert (1, False) == (place.exit_code, place.document["complete"])
    assert f"A.java: {reason}" in place.document["reason"]
    assert 1 == refs.exit_code
    assert [{"path": "A.java", "reason": reason}] == mapped.document["not_parsed"]
    assert f"failed     1 as text, without definitions\n  A.java: {reason}\n" in stats.out
    assert "syntax errors" not in stats.out
