"""What a session writes about itself names no absolute path, no home and no user, whatever went wrong in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import ctx

if TYPE_CHECKING:
    from tests.integration.conftest import Sandbox

USER = "quentinusertest"
SOURCE = Path(ctx.__file__).parent
SECRET_TEXT = "qqbodyofthefileqq"


def _session(sandbox: Sandbox, home: Path) -> None:
    """Run every command, well and badly, with absolute paths wherever a command line takes a text."""
    segment, outside = str(sandbox.segment), str(home / "private" / "notes.txt")
    commands = [
        ("search", "signed cookie"),
        ("search", f"why does {segment}/shop/cart.py fail"),
        ("search", f"open {outside} or ~{USER}/x"),
        ("search", "~/private/notes.txt"),
        ("search", f"file://{outside}"),
        ("search", outside),
        ("search", "cookie", "--path", f"{segment}/shop"),
        ("search", "cookie", "--path", outside, "--kind", outside, "--lang", outside),
        ("search", "", "--segment", segment),
        ("search", "cookie", "--budget", "-1"),
        ("get", f"{segment}/shop/cart.py"),
        ("get", f"{segment}/shop/cart.py:12", "--mode", "raw"),
        ("get", f"{segment}/shop/cart.py#Cart", "--mode", "excerpt"),
        ("get", outside),
        ("get", f"{outside}:3"),
        ("get", f"{outside}#x@12345678"),
        ("get", f"../{USER}/private/notes.txt"),
        ("get", f"../{USER}/private/notes.txt:3"),
        ("get", "--", f"shop/../../{USER}/private/notes.txt#x"),
        ("get", f"~{USER}/private/notes.txt"),
        ("get", "shop/cart.py", "--mode", outside),
        ("get", "--ids", f"{outside},{segment}/README.md"),
        ("index",),
        ("build",),
        ("validate",),
        ("sync",),
        ("stats",),
        ("doctor",),
    ]
    for run in sandbox.run_each(commands, env={"HOME": str(home), "USER": USER, "LOGNAME": USER}):
        assert "Traceback" not in run.err, run
    # Failures that carry paths in their messages: a damaged index, a malformed pack, a config that cannot be read.
    (sandbox.segment / "_ctx/index.db").write_text("damaged " * 1_000)
    sandbox.write({"_ctx/context_pack.json": '{"chunks": [{"path": "' + outside + '", "text": "x"}, 3]}'})
    for arguments in (("search", "cookie"), ("validate",), ("doctor",)):
        sandbox.run(*arguments, env={"HOME": str(home), "USER": USER})
    (sandbox.segment / "_ctx/index.db").unlink()
    (sandbox.segment / "_ctx/index.db").mkdir()
    for arguments in (("search", "cookie"), ("index",), ("stats",)):
        assert 3 == sandbox.run(*arguments, env={"HOME": str(home), "USER": USER}).exit_code


def test_no_absolute_path_home_or_user_in_telemetry(repository: Sandbox) -> None:
    """After a session of all commands, failing ones with absolute paths included, no file of it names a place."""
    home = repository.root / USER
    (home / "private").mkdir(parents=True)
    (home / "private/notes.txt").write_text("mine\n")
    repository.write({"shop/body.py": f"def body():\n    return '{SECRET_TEXT}'\n"})

    for level in ("lite", "full"):
        repository.write({"_ctx/config.toml": f'[telemetry]\nlevel = "{level}"\n'})
        _session(repository, home)
        (repository.segment / "_ctx/index.db").rmdir()
        (repository.segment / "_ctx/context_pack.json").unlink()

    written = sorted((repository.segment / "_ctx/telemetry").iterdir())
    assert {"events.jsonl", "metrics.json", "last_run.json"} <= {path.name for path in written}
    for path in written:
        text = path.read_text("utf-8")
        for place in (str(repository.segment), str(repository.root), str(home), "/tmp/", "/home/", "/root/"):
            assert place not in text, (path.name, place)
        assert USER not in text, path.name
        assert SECRET_TEXT not in text, path.name
        # Nothing that starts like an absolute path, known or not.
        found = re.findall(r"(?<![\w./:*<~-])/[\w.-]+/[\w./-]+", text)
        assert [] == found, (path.name, found[:3])
    events = repository.events()
    assert {f"ctx.{name}" for name in ("search", "get", "index", "build", "validate", "sync", "stats", "doctor")} <= {
        event["cmd"] for event in events
    }
    assert {"segment"} == {event["segment"] for event in events}
    assert any("external/" in str(event["args"]) for event in events), "paths outside are told apart by a hash"


def test_no_telemetry_leaves_no_trace(repository: Sandbox) -> None:
    """Level off writes no event and makes no folder."""
    for arguments in (("search", "cookie"), ("get", "shop/cart.py"), ("get", "nothing"), ("stats",)):
        repository.run(*arguments, env={"CTX_TELEMETRY": "off"})
    assert not (repository.segment / "_ctx/telemetry").exists()
    assert [] == list((repository.home).rglob("*"))


def test_nothing_is_written_outside_the_segment(repository: Sandbox) -> None:
    """A whole session leaves the home as it was and in the segment only _ctx/, which git is told to ignore."""
    before = {path for path in repository.segment.rglob("*") if "_ctx" not in path.parts}
    for arguments in (("search", "cookie"), ("get", "shop/cart.py"), ("sync",), ("doctor",)):
        repository.ok(*arguments)
    assert [] == list(repository.home.rglob("*"))
    assert before == {path for path in repository.segment.rglob("*") if "_ctx" not in path.parts}
    assert "*\n!.gitignore\n!config.toml\n" == (repository.segment / "_ctx/.gitignore").read_text()


def test_wall_clock_measures_nothing() -> None:
    """`time.time(` is nowhere in the package: durations come from the monotonic clock alone."""
    files = list(SOURCE.rglob("*.py"))
    assert 40 < len(files)
    for path in files:
        assert not re.search(r"\btime\.time\(|from time import [^\n]*\btime\b", path.read_text("utf-8")), path
