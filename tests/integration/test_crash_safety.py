"""Killed, interrupted, out of space, not allowed to write, ten at once: the next command answers right."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.integration.conftest import UNWATCHED
from tests.process_tree import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.conftest import Run, Sandbox

FILES = 600
NEEDLE = "def needle_function():\n    return 42\n"


def _many(sandbox: Sandbox, count: int = FILES) -> None:
    """Write enough text for worker processes and for several batches."""
    body = "".join(f"def part_{n}(value):\n    '''Formerly {n}.'''\n    return value + {n}\n\n\n" for n in range(40))
    sandbox.write({f"d{n % 20}/m{n}.py": f"value_{n} = {n}\n{body}" for n in range(count)})
    sandbox.write({"d7/needle.py": NEEDLE})


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of a process, not longer than that."""
    fd = os.pidfd_open(process.pid)
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


def _is_whole(sandbox: Sandbox, files: int) -> None:
    """Check that the next search finds everything and that nothing is damaged."""
    found = sandbox.run("search", "needle_function", "--json")
    assert (0, "") == (found.exit_code, found.err), found
    assert "d7/needle.py" == found.document["hits"][0]["path"]
    assert files == found.document["index"]["files"]
    assert found.document["complete"] is True
    sandbox.ok("validate")
    assert [] == sandbox.leftovers()


def _killed_at(sandbox: Sandbox, seconds: float, sent: signal.Signals = signal.SIGKILL) -> Run | None:
    """Start a search, send the signal after that long and return what it did; None when it was done before."""
    process = sandbox.start("search", "needle_function", "--json", env=UNWATCHED)
    if _ends_within(process, seconds):
        assert 0 == sandbox.finish(process).exit_code
        return None
    process.send_signal(sent)
    return sandbox.finish(process)


def _duration_of_a_build(sandbox: Sandbox) -> float:
    started_ns = time.perf_counter_ns()
    sandbox.ok("index", "--rebuild", env=UNWATCHED)
    return (time.perf_counter_ns() - started_ns) / 1e9


def test_kill_during_indexing(sandbox: Sandbox) -> None:
    """A first build and an update killed at any moment leave an index that the next command finishes."""
    _many(sandbox)
    duration_s = _duration_of_a_build(sandbox)
    chance = random.Random(20)
    for share in (0.1, 0.4, 0.7, 0.95):
        for path in (sandbox.segment / "_ctx").glob("index.db*"):
            path.unlink()
        _killed_at(sandbox, duration_s * share * chance.uniform(0.9, 1.1))
        assert [] == sandbox.leftovers(), "workers end with their parent"
    _is_whole(sandbox, FILES + 1)
    for n in range(0, FILES, 3):
        path = sandbox.segment / f"d{n % 20}/m{n}.py"
        path.write_text(path.read_text().replace("Formerly", "Nowadays"))
    for share in (0.2, 0.5):
        _killed_at(sandbox, duration_s * share)
    _is_whole(sandbox, FILES + 1)
    assert 1 == sandbox.run("search", "Formerly", "--path", "d0/m0.py").exit_code
    assert 0 == sandbox.run("search", "Nowadays", "--path", "d0/m0.py").exit_code


@pytest.mark.slow
def test_kill_during_indexing_often(sandbox: Sandbox) -> None:
    """Fifty kills at random moments, each on what the one before left."""
    _many(sandbox)
    duration_s = _duration_of_a_build(sandbox)
    chance = random.Random(7)
    for round_ in range(50):
        if round_ % 5 == 0:
            for path in (sandbox.segment / "_ctx").glob("index.db*"):
                path.unlink()
        _killed_at(sandbox, duration_s * chance.random())
        assert [] == sandbox.leftovers()
        if round_ % 10 == 9:
            _is_whole(sandbox, FILES + 1)


def test_kill_during_events(repository: Sandbox) -> None:
    """Commands killed while they log leave whole lines, and the next command's lines are not glued to a torn one."""
    repository.ok("index")
    chance = random.Random(3)
    for _ in range(12):
        process = repository.start("search", "cookie")
        _ends_within(process, chance.uniform(0.02, 0.2))
        process.kill()
        repository.finish(process)
    # What a write torn by the end of the power or the disk leaves: half a line, and no newline.
    with (repository.segment / "_ctx/telemetry/events.jsonl").open("ab") as file:
        file.write(b'{"ts":"2026-01-01T00:00:00.000000+00:00","run_id":"run_torn')
    repository.ok("search", "signed")
    lines = (repository.segment / "_ctx/telemetry/events.jsonl").read_text().splitlines()
    torn = [line for line in lines if not line.endswith("}")]
    assert 1 == len(torn)
    whole = [json.loads(line) for line in lines if line not in torn]
    assert "command.end" == whole[-1]["cmd"]
    assert "signed" == [event for event in whole if event["cmd"] == "ctx.search"][-1]["args"]["query"]
    assert len({(event["run_id"], event["seq"]) for event in whole}) == len(whole)


@pytest.mark.parametrize("moment", ["begun", "in the build", "later in it"])
def test_interrupt(sandbox: Sandbox, moment: str) -> None:
    """Ctrl-C ends a build with 130 and one line, keeps what was committed and leaves nothing running."""
    _many(sandbox)
    # Commits several times, so that there is something to keep long before the build is over.
    program = (
        "import sys; from ctx.application import refresh_index; refresh_index.COMMIT_BYTES = 200_000\n"
        "from ctx.__main__ import main; sys.exit(main())"
    )
    path, size_bytes = {
        "begun": (sandbox.segment / "_ctx/index.db.lock", 0),
        "in the build": (sandbox.segment / "_ctx/index.db-wal", 1),
        "later in it": (sandbox.segment / "_ctx/index.db-wal", 2_000_000),
    }[moment]
    process = sandbox.start("search", "needle_function", program=("-c", program), start_new_session=True, env=UNWATCHED)
    assert wait_until(lambda: process.poll() is not None or (path.exists() and path.stat().st_size >= size_bytes))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody in the foreground gets it
    run = sandbox.finish(process)
    assert (130, "") == (run.exit_code, run.out), run
    assert "interrupted; what was finished is kept" == run.complaint
    assert "interrupted" == sandbox.events()[-2]["result"]["status"]
    assert [] == sandbox.leftovers()
    _is_whole(sandbox, FILES + 1)


def test_interrupt_at_any_moment(repository: Sandbox) -> None:
    """Once ctx itself runs, Ctrl-C at any moment of a short command is 130 or a finished command, never a traceback."""
    repository.ok("index")
    # The interpreter's own start is not ours: a pipe tells when ctx's main begins.
    program = (
        "import os, sys, ctx.__main__ as ctx; run, writer = ctx._run, int(sys.argv.pop(1))\n"
        "ctx._run = lambda: run() if os.write(writer, b'.') else 1\n"
        "sys.exit(ctx.main())"
    )
    chance = random.Random(11)
    for _ in range(25):
        reader, writer = os.pipe()
        process = repository.start(
            str(writer), "search", "cookie", program=("-c", program), pass_fds=(writer,), env=UNWATCHED
        )
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        _ends_within(process, chance.uniform(0.0, 0.1))
        process.send_signal(signal.SIGINT)
        run = repository.finish(process)
        assert "Traceback" not in run.err, run
        assert run.exit_code in {0, 130, -signal.SIGINT}, run


def test_an_interrupt_in_a_callback_ends_the_command(repository: Sandbox) -> None:
    """One that nothing can be raised from: it is raised where the command is, and nothing is printed."""
    program = (
        "import sys, weakref, ctx.__main__ as ctx\n"
        "class Watched: pass\n"
        "def interrupted(_reference): raise KeyboardInterrupt\n"
        "def run():\n"
        "    watched = Watched(); reference = weakref.ref(watched, interrupted); del watched\n"
        "    while True: pass\n"
        "ctx._run = run\n"
        "sys.exit(ctx.main())"
    )
    run = repository.finish(repository.start(program=("-c", program)))
    assert (130, "", "") == (run.exit_code, run.out, run.err)


def test_read_only_segment(repository: Sandbox) -> None:
    """Where nothing can be written, the answer is right, the rest goes to the user's cache, said in one line."""
    folders = [repository.segment, *(path for path in repository.segment.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        first = repository.run("search", "load_cookie", "--json", obeys_permissions=True)
        again = repository.run("search", "load_cookie", "--json", obeys_permissions=True)
        for run in (first, again):
            assert 0 == run.exit_code, run
            assert "shop/session.py" == run.document["hits"][0]["path"]
            assert "_ctx/ cannot be written" in run.complaint
            assert "cache" in run.complaint
        assert not (repository.segment / "_ctx").exists()
        run = repository.run("build", obeys_permissions=True)
        assert 3 == run.exit_code
        assert "Traceback" not in run.err
        run = repository.run("doctor", obeys_permissions=True)
        assert 1 == run.exit_code
        assert "cannot be written" in run.out
    finally:
        for folder in folders:
            folder.chmod(0o755)
    repository.ok("search", "load_cookie")


def test_read_only_index(repository: Sandbox) -> None:
    """An index that another user built and this one may only read: one line, no traceback, whatever it then does."""
    repository.ok("index")
    touched = [repository.segment / "_ctx", *(repository.segment / "_ctx").rglob("*")]
    for path in touched:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        run = repository.run("search", "load_cookie", "--json", obeys_permissions=True)
        assert 0 == run.exit_code, run
        assert "shop/session.py" == run.document["hits"][0]["path"]
        assert "Traceback" not in run.err
    finally:
        for path in touched:
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_nowhere_to_write(repository: Sandbox) -> None:
    """Neither segment nor cache can be written: one line that says so and what to do, exit code 3."""
    for folder in (repository.segment, repository.home):
        folder.chmod(0o555)
    try:
        run = repository.run("search", "load_cookie", obeys_permissions=True)
        assert (3, "") == (run.exit_code, run.out), run
        assert "Traceback" not in run.err
        assert "internal error" not in run.err
        assert "permission" in run.err.lower()
    finally:
        for folder in (repository.segment, repository.home):
            folder.chmod(0o755)


@pytest.mark.parametrize("file_bytes_max", [0, 4_096, 40_000, 300_000])
def test_files_that_cannot_grow(sandbox: Sandbox, file_bytes_max: int) -> None:
    """A limit on file sizes, wherever it strikes, is one line and exit code 3; with room again everything is right."""
    _many(sandbox, 250)
    run = sandbox.run("index", file_bytes_max=file_bytes_max)
    assert 3 == run.exit_code, run
    assert "Traceback" not in run.err
    assert "internal error" not in run.err
    assert run.err.count("\n") <= 3, run  # index, telemetry and that _ctx/ could not be made: a line each
    _is_whole(sandbox, 251)


@pytest.mark.parametrize("kilobytes", [64, 400, 1_500])
def test_full_disk(sandbox: Sandbox, kilobytes: int) -> None:
    """A full disk is named, nothing on it is damaged, and with the index elsewhere the same tree is searched."""
    _many(sandbox, 250)
    with _small_disk(sandbox.segment / "_ctx", kilobytes):
        run = sandbox.run("index")
        assert 3 == run.exit_code, run
        assert "Traceback" not in run.err
        assert "internal error" not in run.err
        assert "disk is full" in run.err or "free" in run.err, run
    _is_whole(sandbox, 251)


@contextmanager
def _small_disk(folder: Path, kilobytes: int) -> Iterator[None]:
    """Mount a disk of that size; skips where that is not allowed."""
    folder.mkdir(exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_an_index_on_a_disk_that_filled_up_answers(sandbox: Sandbox) -> None:
    """SQLite wants room beside the file even to read it; what is committed is read all the same, and it is said."""
    _many(sandbox, 50)
    with _small_disk(sandbox.segment / "_ctx", 6_000):
        sandbox.ok("index")
        with contextlib.suppress(OSError), (sandbox.segment / "_ctx/filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 1024):
                pass
        run = sandbox.run("search", "needle_function", "--json")
        assert (0, "needle_function") == (run.exit_code, run.document["hits"][0]["name"]), run
        assert "there is no room to write the index; it answers as it stands" in run.err


def test_links_of_a_repository_are_not_written_through(sandbox: Sandbox) -> None:
    """Whoever clones a repository and searches it must not write where its `_ctx` or something in it leads."""
    outside = sandbox.root / "outside"
    outside.mkdir()
    _many(sandbox, 3)
    own = sandbox.segment / "_ctx"
    own.symlink_to(outside)
    for _ in range(2):
        for command in (("search", "needle_function"), ("index", "--rebuild"), ("build",)):
            run = sandbox.run(*command)
            assert "_ctx/ cannot be written (or is a link)" in run.err, run
        assert [] == list(outside.iterdir())
        if own.is_symlink():
            own.unlink()
            own.mkdir()
            (own / "index.db").symlink_to(outside / "index.db")
            (own / "telemetry").symlink_to(outside)


def test_a_rebuild_is_not_seen_half_done(sandbox: Sandbox) -> None:
    """Beside `ctx index --rebuild`, every answer is that of a whole index."""
    _many(sandbox, 300)
    sandbox.ok("index")
    rebuild = sandbox.start("index", "--rebuild")
    beside = 0
    while rebuild.poll() is None or not beside:
        run = sandbox.run("search", "needle_function", "--json")
        assert 0 == run.exit_code, run
        assert 301 == run.document["index"]["files"]
        beside += 1
    assert 0 == sandbox.finish(rebuild).exit_code
    _is_whole(sandbox, 301)


def _search_at_once(sandbox: Sandbox, count: int) -> list[Run]:
    started = [sandbox.start("search", "needle_function", "--json") for _ in range(count)]
    return [sandbox.finish(process) for process in started]


@pytest.mark.parametrize("state", ["no index", "damaged", "older schema", "other settings"])
def test_ten_searches_at_once(sandbox: Sandbox, state: str) -> None:
    """Ten searches at once all answer right, whatever they find, and none damages what another builds."""
    _many(sandbox, 500)
    if state != "no index":
        sandbox.ok("index")
        _spoil(sandbox.segment / "_ctx/index.db", state)
    if state == "other settings":
        sandbox.write({"_ctx/config.toml": '[tokens]\nencoding = "o200k_base"\n'})
    for run in _search_at_once(sandbox, 10):
        assert 0 == run.exit_code, run
        assert "d7/needle.py" == run.document["hits"][0]["path"]
        assert 501 == run.document["index"]["files"]
        assert run.document["complete"] is True
    _is_whole(sandbox, 501)


def _spoil(index: Path, state: str) -> None:
    with index.open("rb+") as file:
        if state == "damaged":
            file.write(b"no database any more" * 300)
        elif state == "older schema":
            file.seek(60)  # SQLite's user_version
            file.write(b"\0\0\0\x63")


def test_files_written_while_being_indexed(sandbox: Sandbox) -> None:
    """A tree that is rewritten during the build is stale at worst for one command, and then exactly as it is."""
    _many(sandbox, 400)
    process = sandbox.start("search", "needle_function")
    for n in range(400):
        (sandbox.segment / f"d{n % 20}/m{n}.py").write_text(f"def rewritten_{n}(): ...\n")
    assert 0 == sandbox.finish(process).exit_code
    found = sandbox.json("search", "rewritten_399 rewritten_7")
    assert {"d19/m399.py", "d7/m7.py"} <= {hit["path"] for hit in found["hits"]}
    assert 1 == sandbox.run("search", "Formerly").exit_code
    _is_whole(sandbox, 401)
