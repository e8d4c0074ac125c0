"""Unsaved texts: what one face holds, every command and face on the segment sees, for as long as it is held."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests import face_process
from tests.integration.conftest import Sandbox
from tests.process_tree import PATIENCE_S, process_is_gone, wait_until

from ctx.infrastructure.services import UNSAVED_MISSING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

OFF = {"CTX_DAEMON": "off"}
CART = "shop/cart.py"
UNSAVED = '''"""The cart."""

from .session import SignedCookie, load_cookie


def empty_basket(cookie: SignedCookie) -> None:
    """Take everything out, as only the editor knows."""
    load_cookie("unsaved header", b"")


def use_it() -> None:
    empty_basket(None)
'''


class Face:
    """A process with a session, asked line by line."""

    def __init__(self, sandbox: Sandbox, name: str = "lsp", **env: str) -> None:
        program = (face_process.__file__, str(sandbox.segment), name)
        root = str(Path(face_process.__file__).parent.parent)
        self.process: subprocess.Popen[bytes] = sandbox.start(
            program=program, stdin=-1, stderr=None, env=env, cwd=Path(root)
        )
        self.begin = self._heard()

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def ask(self, *words: Any) -> dict[str, Any]:
        """Have it do something and return what came of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        self.process.stdin.flush()
        return self._heard()

    def close(self) -> None:
        """Have it end as it should."""
        self.ask("close")
        assert 0 == self.process.wait(PATIENCE_S)

    def until_joined(self) -> dict[str, Any]:
        """Wait until it works with a host and return its status."""
        return self.until(lambda status: bool(status["host"] and status["front_pid"]))

    def until(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until its status is so, and return it."""
        ends_s = time.monotonic() + PATIENCE_S
        while not is_so(status := self.ask("status")):
            assert time.monotonic() < ends_s, status
            select.select([], [], [], 0.02)
        return status

    def _heard(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        assert ready, "the face says nothing"
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found


@pytest.fixture
def shop(repository: Sandbox) -> Iterator[Sandbox]:
    """The small shop, indexed; whatever host is left is ended."""
    repository.ok("index")
    yield repository
    with contextlib.suppress(OSError):
        repository.run("daemon", "stop")


@pytest.fixture
def face(shop: Sandbox) -> Face:
    """A face that started a host."""
    made = Face(shop)
    made.until_joined()
    return made


def _finds(sandbox: Sandbox, name: str, **env: str) -> bool:
    hits = sandbox.run("search", name, "--json", env=env).document["hits"]
    return any(hit["name"] == name for hit in hits)


def _copies(sandbox: Sandbox) -> list[str]:
    return [path.name for path in (sandbox.runtime / "ctx").iterdir() if ".unsaved-" in path.name]


# --- what is seen ---------------------------------------------------------------------------------------------------


def test_every_command_sees_an_unsaved_text(shop: Sandbox, face: Face) -> None:
    """Search, patterns, get, resolve, refs, hover and map answer from the text, and name the file it is of."""
    before = shop.json("map")
    face.ask("set", CART, UNSAVED)
    found = shop.json("search", "empty_basket")
    assert ("empty_basket", [CART]) == (found["hits"][0]["name"], found["unsaved"])
    assert [8] == [match["line"] for match in shop.json("search", "-F", "unsaved header")["hits"][0]["matches"]]
    item = shop.json("get", f"{CART}#empty_basket", "--mode", "raw")["items"][0]
    assert "as only the editor knows" in item["text"]
    assert "def use_it" in shop.json("get", CART)["items"][0]["text"]
    resolved = shop.json("resolve", f"{CART}:8:5")
    assert (["shop/session.py"], [CART]) == ([row["path"] for row in resolved["found"]], resolved["unsaved"])
    uses = shop.run("refs", "empty_basket", "--json").document
    assert [(CART, 6), (CART, 12)] == [(row["path"], row["line"]) for row in uses["references"]]
    assert "only the editor" in shop.json("hover", f"{CART}:12:5")["doc"]
    drawn = shop.json("map")
    assert "use_it" in drawn["text"]
    assert ([CART], False) == (drawn["unsaved"], "unsaved" in before)
    assert [CART] == shop.host_status()["unsaved"]
    told = [event for event in shop.events() if event["cmd"] == "ctx.search"]
    assert [1, 1] == [event["unsaved_files"] for event in told]
    face.close()


def test_what_is_on_disk_stays_what_it_was(shop: Sandbox, face: Face) -> None:
    """Without the host the disk is seen; nothing of the text is in the segment, and nothing of it is left later."""
    face.ask("set", CART, UNSAVED)
    assert _finds(shop, "empty_basket")
    assert not _finds(shop, "empty_basket", **OFF)
    face.close()
    assert wait_until(lambda: "state" in shop.host_status() and shop.host_status()["state"] == "not running")
    secret = b"only the editor"
    left = [path for path in shop.segment.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert ([], []) == (left, list((shop.runtime / "ctx").iterdir()))


def test_a_text_is_gone_when_it_is_taken_back(shop: Sandbox, face: Face) -> None:
    """The disk answers again, and no answer names the file any more."""
    face.ask("set", CART, UNSAVED)
    assert _finds(shop, "empty_basket")
    face.ask("set", CART, None)
    found = shop.json("search", "Cart")
    assert ("Cart", False) == (found["hits"][0]["name"], "unsaved" in found)
    assert not _finds(shop, "empty_basket")
    face.close()


def test_a_file_of_the_editor_alone(shop: Sandbox, face: Face) -> None:
    """One that is not on disk is a file like others, also in a new folder; an ignored one and a secret are not."""
    face.ask("set", "new/deep/thing.py", "def brand_new(): ...\n")
    face.ask("set", "build/hidden.py", "def never_seen(): ...\n")
    refused = face.ask("set", ".env", "TOKEN=never_told\n")
    outside = face.ask("set", "../elsewhere.py", "def never_here(): ...\n")
    assert _finds(shop, "brand_new")
    assert "def brand_new" in shop.json("get", "new/deep/thing.py", "--mode", "raw")["items"][0]["text"]
    assert not _finds(shop, "never_seen")
    assert "secrets file" in refused["error"]
    assert "outside the segment" in outside["error"]
    assert ["new/deep/thing.py"] == shop.json("search", "brand_new")["unsaved"]
    assert not (shop.segment / "new").exists()
    face.close()


def test_a_file_deleted_under_an_open_text(shop: Sandbox, face: Face) -> None:
    """The text stands for it until the editor lets go of it."""
    face.ask("set", CART, UNSAVED)
    (shop.segment / CART).unlink()
    assert _finds(shop, "empty_basket")
    assert not _finds(shop, "empty_basket", **OFF)
    face.ask("set", CART, None)
    assert not _finds(shop, "Cart")
    face.close()


def test_changes_on_disk_beside_an_unsaved_text(shop: Sandbox, face: Face) -> None:
    """Whatever other programs write is seen at once, too, many files as well as one."""
    face.ask("set", CART, UNSAVED)
    assert _finds(shop, "empty_basket")
    shop.write({"shop/jobs.py": "def written_later(): ...\n"})
    assert _finds(shop, "written_later")
    shop.write({f"many/m{number}.py": f"def many_{number}(): ...\n" for number in range(80)})
    assert _finds(shop, "many_79")
    assert _finds(shop, "empty_basket")
    face.close()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("shop/latin.py", "# -*- coding: latin-1 -*-\nÜBER = 'grüße_latin'\ndef encoded(): ...\n"),
        ("shop/crlf.py", "def one(): ...\r\n\r\ndef encoded(): ...\r\n"),
        ("shop/large.py", "def encoded(): ...\n" + "# filler that is long enough\n" * 500),
    ],
)
def test_texts_of_every_kind(shop: Sandbox, face: Face, path: str, text: str) -> None:
    """A coding line, foreign line ends and a text that is parsed in another process are read as they stand."""
    face.ask("set", path, text)
    assert _finds(shop, "encoded")
    item = shop.json("get", path, "--mode", "raw", "-b", "20000")["items"][0]
    assert text.splitlines() == item["text"].splitlines()
    face.close()


def test_texts_that_are_none(shop: Sandbox, face: Face) -> None:
    """A text too large is refused and the file answers; one with a NUL is skipped as such a file is."""
    face.ask("set", CART, UNSAVED)
    assert "index.max_file_bytes" in face.ask("set", CART, "x = 1\n" * 3_500_000)["error"]
    assert _finds(shop, "Cart")
    face.ask("set", "shop/session.py", "def with_nul(): ...\n\0")
    assert not _finds(shop, "with_nul")
    assert not _finds(shop, "load_cookie")
    face.close()


# --- who holds it ---------------------------------------------------------------------------------------------------


def test_two_faces(shop: Sandbox, face: Face) -> None:
    """Each sees the other's texts; of two of one file the newest counts, and the other when that one goes."""
    other = Face(shop, "mcp")
    other.until_joined()
    face.ask("set", CART, "def first_text(): ...\n")
    other.ask("set", CART, "def second_text(): ...\n")
    assert (False, True) == (_finds(shop, "first_text"), _finds(shop, "second_text"))
    assert {"found": ["second_text"], "unsaved": [CART]} == face.ask("find", "second_text")
    assert [("lsp", face.pid), ("mcp", other.pid)] == [(one["face"], one["pid"]) for one in shop.host_status()["faces"]]
    assert f"mcp {other.pid}" in shop.ok("daemon", "status").out
    other.close()
    assert wait_until(lambda: ["first_text"] == face.ask("find", "first_text")["found"])  # the host notices its end
    assert _finds(shop, "first_text")
    face.close()


def test_a_killed_face_takes_its_texts_along(shop: Sandbox, face: Face) -> None:
    """After kill -9 its texts are no more, and a host that nobody else uses ends with everything."""
    keeper = Face(shop, "mcp")
    keeper.until_joined()
    face.ask("set", CART, UNSAVED)
    assert _finds(shop, "empty_basket")
    host = shop.host_status()
    os.kill(face.pid, signal.SIGKILL)
    assert wait_until(lambda: not _finds(shop, "empty_basket"))
    os.kill(keeper.pid, signal.SIGKILL)
    assert process_is_gone(host["front_pid"])
    assert [] == list((shop.runtime / "ctx").iterdir())
    assert [] == shop.leftovers()


@pytest.mark.parametrize("which", ["front_pid", "backend_pid"])
def test_a_killed_host_comes_back_with_the_texts(shop: Sandbox, face: Face, which: str) -> None:
    """Meanwhile the face sees its own texts; then it has a host again, and every command sees them."""
    face.ask("set", CART, UNSAVED)
    assert _finds(shop, "empty_basket")
    before = face.ask("status")
    os.kill(before[which], signal.SIGKILL)
    assert ["empty_basket"] == face.ask("find", "empty_basket")["found"]
    assert process_is_gone(before[which])
    after = face.until(lambda status: bool(status["host"]) and status[which] not in {None, before[which]})
    assert [CART] == after["unsaved"]
    assert wait_until(lambda: _finds(shop, "empty_basket"))
    assert wait_until(lambda: 1 == len(_copies(shop)))  # the face's own goes behind its back
    face.close()


def test_a_host_that_stands_still_has_its_silence_told(shop: Sandbox, face: Face) -> None:
    """A command answers from the disk then, and says that unsaved texts may be missing."""
    face.ask("set", CART, UNSAVED)
    assert _finds(shop, "empty_basket")
    backend = shop.host_status()["backend_pid"]
    os.kill(backend, signal.SIGSTOP)
    try:
        run = shop.run("search", "Cart", "--json")
    finally:
        os.kill(backend, signal.SIGCONT)
    assert ((0, UNSAVED_MISSING), False) == ((run.exit_code, run.complaint), "unsaved" in run.document)
    assert wait_until(lambda: _finds(shop, "empty_basket"))
    face.close()


def test_a_host_that_was_stopped_is_not_started_again(shop: Sandbox, face: Face) -> None:
    """`ctx daemon stop` counts: the face works alone, sees its own texts, and joins the next host it finds."""
    face.ask("set", CART, UNSAVED)
    shop.ok("daemon", "stop")
    status = face.until(lambda status: not status["host"])
    assert ("alone", [CART]) == (status["state"], status["unsaved"])
    assert ["empty_basket"] == face.ask("find", "empty_basket")["found"]
    assert "not running" == shop.host_status()["state"]
    shop.ok("daemon", "start")
    face.until_joined()
    assert _finds(shop, "empty_basket")
    face.close()


def test_without_any_host(shop: Sandbox) -> None:
    """With hosts switched off a face has its texts for itself, and leaves nothing."""
    face = Face(shop, **OFF)
    assert "alone" == face.begin["state"]
    face.ask("set", CART, UNSAVED)
    assert {"found": ["empty_basket"], "unsaved": [CART]} == face.ask("find", "empty_basket")
    assert not _finds(shop, "empty_basket")
    face.ask("set", CART, None)
    assert {"found": [], "unsaved": []} == face.ask("find", "empty_basket")
    face.close()
    left = [path for path in (shop.runtime, shop.runtime / "ctx") if path.exists() and any(path.glob("*unsaved*"))]
    assert [] == left


# --- the host's life ------------------------------------------------------------------------------------------------


def test_ten_faces_at_once_share_one_host(shop: Sandbox) -> None:
    """Whoever comes first starts it; it lives until the last one leaves, and then nothing of it is left."""
    faces = [Face(shop, f"face{number}") for number in range(10)]
    hosts = {face.until_joined()["front_pid"] for face in faces}
    assert 1 == len(hosts)
    assert 10 == len(shop.host_status()["faces"])
    for number, face in enumerate(faces):
        face.ask("set", f"shop/of_{number}.py", f"def of_face_{number}(): ...\n")
    assert all(_finds(shop, f"of_face_{number}") for number in range(10))
    for face in faces:
        face.close()
    assert process_is_gone(hosts.pop())
    assert [] == list((shop.runtime / "ctx").iterdir())
    assert [] == shop.leftovers()


def test_start_makes_a_faces_host_a_lasting_one(shop: Sandbox, face: Face) -> None:
    """`ctx daemon start` finds the host that the face started, which then outlives the face."""
    host = shop.host_status()
    assert (False, True) == (host["is_kept"], "when no editor or agent uses it" in shop.ok("daemon", "status").out)
    started = shop.json("daemon", "start")
    assert (host["front_pid"], True) == (started["front_pid"], started["is_kept"])
    face.close()
    select.select([], [], [], 4.0)  # longer than an unused host of a face lives
    kept = shop.host_status()
    assert (host["front_pid"], []) == (kept["front_pid"], kept["faces"])


def test_a_lease_keeps_an_idle_host(shop: Sandbox) -> None:
    """The idle time begins when the last face has left."""
    looks = shop.root / "looks"
    # Next to none of it, once a face has come, however long that took; each look of the host at it leaves a mark.
    script = (
        "import sys; from ctx.infrastructure.host.front import Front; look = Front._look\n"
        "def shown(front):\n"
        "    if front._figures.get('leases'):\n"
        "        front._idle_s = 0.001\n"
        f"        with open({str(looks)!r}, 'a') as file: file.write('.')\n"
        "    look(front)\n"
        "Front._look = shown\n"
        "from ctx.__main__ import main; sys.exit(main())"
    )
    host = shop.start("daemon", "start", "--foreground", "--json", program=("-c", script))
    assert wait_until(lambda: shop.run("daemon", "status").exit_code == 0)
    face = Face(shop)
    face.until_joined()
    assert wait_until(lambda: looks.exists() and looks.stat().st_size >= 3)
    assert host.poll() is None
    face.close()
    out, _err = host.communicate(timeout=PATIENCE_S)
    assert "ended" == json.loads(out)["state"]


def test_a_face_of_other_settings_works_alone(shop: Sandbox) -> None:
    """A host whose index is made otherwise cannot answer for it."""
    shop.ok("daemon", "start")
    face = Face(shop, CTX_INDEX_MAX_FILE_BYTES="5000000")
    status = face.until(lambda status: "other settings" in status.get("reason", ""))
    assert ("alone", []) == (status["state"], shop.host_status()["faces"])
    face.close()
