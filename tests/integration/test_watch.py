"""`ctx index --watch`: real events, told line by line; the tests go by those lines."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.conftest import SECONDS_MAX, UNWATCHED, Sandbox

from ctx.infrastructure.index_store import IndexStore

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator


class Watch:
    """A running watch and what it prints."""

    def __init__(self, box: Sandbox, *options: str, **settings: Any) -> None:
        self.process: subprocess.Popen[bytes] = box.start(
            "index", "--watch", "--json", *options, env=UNWATCHED, **settings
        )
        self._rest = b""

    def line(self) -> dict[str, Any]:
        """Return the next object printed."""
        found: dict[str, Any] = json.loads(self._read(self.process.stdout))
        return found

    def complaint(self) -> str:
        """Return the next line on standard error."""
        return self._read(self.process.stderr).decode()

    def until(self, **totals: int) -> dict[str, Any]:
        """Read objects until the index holds that much."""
        while True:
            found = self.line()
            assert "error" not in found, found
            if all(found[key] == value for key, value in totals.items()):
                return found

    def end(self, with_signal: signal.Signals) -> tuple[int, list[dict[str, Any]], str]:
        """Send a signal and return the exit code, what was printed since, and what was said."""
        self.process.send_signal(with_signal)
        out, err = self.process.communicate(timeout=SECONDS_MAX)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()

    def _read(self, stream: Any) -> bytes:
        deadline = time.monotonic() + SECONDS_MAX
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0], "nothing was printed"
            byte = os.read(stream.fileno(), 1)
            assert byte, "the watch ended"
            line += byte
        return line


def put(repository: Sandbox, name: str, text: str) -> None:
    """Give the segment a file whole: one that is seen before its text is in it makes an update more."""
    made = repository.root / "made"
    made.write_text(text)
    made.rename(repository.segment / name)


@pytest.fixture
def watch(repository: Sandbox) -> Iterator[Watch]:
    started = Watch(repository)
    assert {"schema": "ctx.index/1", "added": 6}.items() <= started.line().items()
    yield started
    assert started.process.poll() is not None or started.end(signal.SIGTERM)[0] == 0


def test_changes_are_taken_in_as_they_happen(repository: Sandbox, watch: Watch) -> None:
    """New, changed and deleted files and folders, each found by a search that had nothing left to do."""
    put(repository, "shop/new.py", "def brand_new(): ...\n")
    added = watch.line()
    assert {"schema": "ctx.index/1", "watching": True, "added": 1, "changed": 0, "files": 7}.items() <= added.items()
    assert added["took_ms"] > 0
    assert added["at"].endswith("+00:00")
    put(repository, "shop/new.py", "def renamed_again(): ...\n")
    assert 1 == watch.line()["changed"]
    assert "shop/new.py" == repository.paths("renamed_again")[0]
    repository.write({"deep/er/still/a.py": "def deepest(): ...\n"})
    watch.until(files=8)
    repository.write({"deep/er/still/b.py": "def beside(): ...\n"})
    watch.until(files=9)
    shutil.rmtree(repository.segment / "deep")
    watch.until(files=7)
    shutil.rmtree(repository.segment / "shop")
    watch.until(files=3)
    code, lines, err = watch.end(signal.SIGTERM)
    assert (0, "") == (code, err)
    assert [{"schema": "ctx.index/1", "segment": "segment", "watching": False}] == [
        {key: value for key, value in line.items() if key != "updates"} for line in lines
    ]
    assert lines[0]["updates"] >= 6


def test_ignored_folders_and_our_own_writes_are_no_updates(repository: Sandbox, watch: Watch) -> None:
    """The marker is the one thing told, after a storm of everything that is not indexed."""
    for folder in ("node_modules/x", ".venv/lib", "_ctx/telemetry", "build", ".git/objects"):
        repository.write({f"{folder}/noise{at}.py": "def noise(): ...\n" for at in range(40)})
    repository.ok("search", "cart")
    put(repository, "marker.py", "def marker(): ...\n")
    assert {"added": 1, "changed": 0, "removed": 0}.items() <= watch.line().items()
    code, lines, _err = watch.end(signal.SIGTERM)
    assert (0, [{"schema": "ctx.index/1", "segment": "segment", "watching": False, "updates": 1}]) == (code, lines)


def test_thousands_of_files_at_once_are_all_taken_in(repository: Sandbox, watch: Watch) -> None:
    """As by a checkout; and gone again."""
    repository.write({f"many/d{at % 50}/f{at}.txt": f"text {at}\n" for at in range(2000)})
    watch.until(files=2006)
    shutil.rmtree(repository.segment / "many")
    watch.until(files=6)


def test_interrupting_ends_it_with_130(watch: Watch) -> None:
    """As any command; nothing more is printed."""
    code, lines, err = watch.end(signal.SIGINT)
    assert (130, [], "ctx: interrupted; what was finished is kept\n") == (code, lines, err)


def test_a_busy_index_is_waited_for(repository: Sandbox, watch: Watch) -> None:
    """The change is in it once the other has finished."""
    other = IndexStore(str(repository.segment / "_ctx/index.db"))
    with other.writing(wait_s=10.0):
        put(repository, "late.py", "def late(): ...\n")
        assert "another ctx is writing the index" in watch.complaint()
    assert 1 == watch.line()["added"]
    other.close()


def test_a_deleted_index_is_made_anew(repository: Sandbox, watch: Watch) -> None:
    """`git clean -dfx` takes `_ctx/` away; other commands then find what the watch writes."""
    shutil.rmtree(repository.segment / "_ctx", ignore_errors=True)  # the watch may be writing in it just now
    repository.write({"after.py": "def after_cleaning(): ...\n"})
    watch.until(files=7)
    assert "after.py" == repository.paths("after_cleaning")[0]


def test_a_deleted_segment_ends_it_with_the_reason(repository: Sandbox, watch: Watch) -> None:
    """There is nothing left to watch."""
    repository.remove_segment()
    assert 3 == watch.process.wait(timeout=SECONDS_MAX)
    assert "the segment's directory cannot be opened" in watch.complaint()
    assert not repository.segment.exists()


def test_text_output_is_a_line_per_update(repository: Sandbox) -> None:
    """Time, files and milliseconds."""
    process = repository.start("index", "--watch", env=UNWATCHED)
    assert process.stdout is not None
    assert b"6 files" in process.stdout.readline()
    put(repository, "one.py", "x = 1\n")
    assert b"  1 file (+1 ~0 -0) in " in process.stdout.readline()
    process.terminate()
    assert b"ended after 1 updates\n" == process.stdout.readline()
    assert 0 == process.wait(timeout=SECONDS_MAX)


def test_nobody_listening_ends_it_quietly(repository: Sandbox, watch: Watch) -> None:
    """A closed pipe is no error."""
    assert watch.process.stdout is not None
    watch.process.stdout.close()
    repository.write({"one.py": "x = 1\n"})
    assert 0 == watch.process.wait(timeout=SECONDS_MAX)
    watch.process.stdout = None


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_folder_that_goes_away_ends_it_with_one_line(repository: Sandbox, watch: Watch, is_moved: bool) -> None:
    """Deleted or moved: exit code 3, the reason, and no folder made in its place."""
    if is_moved:
        repository.segment.rename(repository.segment.with_name("moved"))
    else:
        repository.remove_segment()
    out, err = watch.process.communicate(timeout=SECONDS_MAX)
    document = json.loads(out.splitlines()[-1])
    assert (3, 3, 1) == (watch.process.returncode, document["error"]["exit_code"], err.count(b"\n"))
    assert b"the segment's directory cannot be opened" in err
    assert b"was it moved or deleted? name another with --segment" in err
    assert not repository.segment.exists()
