"""One user's world per test: a home, a segment, and the real `ctx` as a process of its own that must leave nothing."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.process_tree import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

REPOSITORY = {
    ".gitignore": "build/\n",
    ".git/HEAD": "ref: refs/heads/main\n",
    ".git/refs/heads/main": "0123456789abcdef0123456789abcdef01234567\n",
    "README.md": "# Shop\n\nA shop that keeps carts in signed cookies.\n\n## Install\n\nCopy the folder.\n",
    "build/cart.py": "class IgnoredByRule: ...\n",
    "shop/__init__.py": '"""A small shop."""\n',
    "shop/cart.py": '''"""The cart."""

from __future__ import annotations

from decimal import Decimal

from .session import SignedCookie

FREE_SHIPPING_FROM = Decimal("50.00")


class Cart:
    """What a visitor wants to buy."""

    def __init__(self, cookie: SignedCookie) -> None:
        self.cookie = cookie
        self.lines: dict[str, int] = {}

    def add_line(self, article: str, count: int = 1) -> None:
        """Put an article into the cart."""
        self.lines[article] = self.lines.get(article, 0) + count
        self.cookie.store("cart", repr(self.lines))

    def shipping_costs(self, total: Decimal) -> Decimal:
        """Return what sending the cart costs; nothing from a certain total on."""
        return Decimal(0) if total >= FREE_SHIPPING_FROM else Decimal("4.90")
''',
    "shop/session.py": '''"""Sessions in signed cookies."""

import hashlib
import hmac


class SignedCookie:
    """A cookie whose value nobody can change unnoticed."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.values: dict[str, str] = {}

    def store(self, name: str, value: str) -> None:
        """Keep a value with its signature."""
        self.values[name] = value + "." + self.sign(value)

    def sign(self, value: str) -> str:
        """Return the signature of a value."""
        return hmac.new(self.secret, value.encode(), hashlib.sha256).hexdigest()


def load_cookie(header: str, secret: bytes) -> SignedCookie:
    """Read a cookie from a request header.

    Raises: ValueError when a signature does not fit.
    """
    cookie = SignedCookie(secret)
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        plain, _, signature = value.rpartition(".")
        if not hmac.compare_digest(cookie.sign(plain), signature):
            raise ValueError(name)
        cookie.values[name] = value
    return cookie
''',
    "tests/test_cart.py": """from decimal import Decimal

from shop.cart import Cart


def test_shipping_costs_nothing_for_large_carts():
    assert Cart(None).shipping_costs(Decimal("80")) == 0
""",
}

SECONDS_MAX = 120.0
AT_ONCE = 4
_LEFTOVER_PATIENCE_S = 60.0

# Replaces itself by ctx after it gave up what a command must not have. Permission bits do not stop root, and another
# user could not even reach an interpreter below /root: root without these two capabilities can and is stopped.
_LIMITED = """
import ctypes, json, os, resource, sys
limits = json.loads(sys.argv[1])
if limits["obeys_permissions"] and os.geteuid() == 0:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
            sys.exit("cannot drop capabilities: " + os.strerror(ctypes.get_errno()))
if limits["file_bytes_max"] is not None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file_bytes_max"],) * 2)
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one command did."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The object on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def complaint(self) -> str:
        """The one line on standard error; anything else there fails the test."""
        assert "Traceback" not in self.err, self.err
        assert self.err.startswith("ctx: "), self.err
        assert self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("ctx: ").removesuffix("\n")


UNWATCHED = {"PYTHONWARNINGS": "", "COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
"""No warnings as errors and no coverage for what is interrupted: a signal inside coverage's tracer keeps its lock."""


class Sandbox:
    """A home and a segment below one directory, and the commands run in them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.segment = root / "segment"
        # Short, because a socket's path holds 107 bytes.
        self.runtime = Path(tempfile.mkdtemp(prefix="ctx"))
        self.home.mkdir()
        self.segment.mkdir()
        self._running: list[subprocess.Popen[bytes]] = []

    def remove_segment(self) -> None:
        """Remove the segment, also while somebody writes in it: who removes a tree by hand does so again, too."""
        while self.segment.exists():
            shutil.rmtree(self.segment, ignore_errors=True)

    def write(self, files: Mapping[str, str | bytes], below: Path | None = None) -> None:
        """Write files, by their paths in the segment."""
        for name, content in files.items():
            path = (below or self.segment) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def environment(self, changes: Mapping[str, str] | None = None, *, covered: bool = True) -> dict[str, str]:
        """Return what ctx sees; a name set to "" is taken out."""
        kept = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")
        environment = {
            name: value for name, value in os.environ.items() if name in kept or (covered and name.startswith("COV"))
        }
        environment |= {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "CTX_TEST_SANDBOX": str(self.root),
            "CTX_RESOLVE_DEADLINE_MS": "60000",  # however busy the machine
            "CTX_LSP_ENABLED": "0",  # which servers are installed is the machine's; their own tests switch them on
            "PYTHONWARNINGS": "error",
            # The shell is the one a test names, not the one the tests happen to be started from (make's is `sh`).
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        }
        environment |= changes or {}
        return {name: value for name, value in environment.items() if value}

    def start(
        self,
        *arguments: str | bytes,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        obeys_permissions: bool = False,
        file_bytes_max: int | None = None,
        program: Sequence[str] = ("-m", "ctx"),
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a command in the segment; whatever still runs when the test ends is killed."""
        limits = {"obeys_permissions": obeys_permissions, "file_bytes_max": file_bytes_max}
        is_limited = obeys_permissions or file_bytes_max is not None
        prefix = ["-c", _LIMITED, json.dumps(limits)] if is_limited else []
        process = subprocess.Popen(
            [sys.executable, *prefix, *program, *arguments],
            cwd=cwd or self.segment,
            # A limited process could not write its coverage either, and would say so.
            env=self.environment(env, covered=not is_limited),
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
        )
        self._running.append(process)
        return process

    def run(self, *arguments: str | bytes, **options: Any) -> Run:
        """Run a command to its end."""
        return self.finish(self.start(*arguments, **options))

    def finish(self, process: subprocess.Popen[bytes]) -> Run:
        """Wait for a started command."""
        out, err = process.communicate(timeout=SECONDS_MAX)
        return Run(process.returncode, (out or b"").decode(), (err or b"").decode())

    def host_status(self) -> dict[str, Any]:
        """Return what `ctx daemon status` says of the warm host."""
        return self.run("daemon", "status", "--json").document

    def until_shared(self, path: str) -> None:
        """Wait until a warm host has a face's unsaved text of a file: one that is only starting shows it to nobody."""
        assert wait_until(lambda: path in self.host_status().get("unsaved", ())), "no host has the text"

    def run_each(self, commands: Iterable[Sequence[str | bytes]], **options: Any) -> list[Run]:
        """Run commands that do not depend on each other, a few at a time, and return what they did in order."""
        waiting = list(commands)
        runs = []
        while waiting:
            started = [self.start(*arguments, **options) for arguments in waiting[:AT_ONCE]]
            runs += [self.finish(process) for process in started]
            del waiting[:AT_ONCE]
        return runs

    def ok(self, *arguments: str | bytes, **options: Any) -> Run:
        """Run a command that has to succeed without a word on standard error."""
        run = self.run(*arguments, **options)
        assert (0, "") == (run.exit_code, run.err), run
        return run

    def json(self, *arguments: str | bytes, **options: Any) -> dict[str, Any]:
        """Run a command that has to succeed and return the object it printed."""
        return self.ok(*arguments, "--json", **options).document

    def paths(self, query: str, **options: Any) -> list[str]:
        """Return the paths a search finds, best first."""
        return [hit["path"] for hit in self.json("search", query, **options)["hits"]]

    def events(self, segment: Path | None = None) -> list[dict[str, Any]]:
        """Return every event written in the segment; a line that is no JSON, or never becomes whole, fails the test."""
        folder = (segment or self.segment) / "_ctx" / "telemetry"
        found: list[bytes] = []

        def are_whole() -> bool:
            """Read; of a line that a host or a server is writing just now, the system may show the beginning alone."""
            found[:] = [file.read_bytes() for file in sorted(folder.glob("events*.jsonl"))]
            return all(data.endswith(b"\n") for data in found if data)

        assert wait_until(are_whole), found
        return [json.loads(line) for data in found for line in data.decode().splitlines()]

    def telemetry_file(self, name: str) -> dict[str, Any]:
        """Return `metrics.json` or `last_run.json`."""
        found: dict[str, Any] = json.loads((self.segment / "_ctx" / "telemetry" / name).read_bytes())
        return found

    def processes(self) -> list[int]:
        """Return the ids of every living process that descends from a command of this sandbox."""
        mark = f"CTX_TEST_SANDBOX={self.root}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):  # gone, or not ours
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return found

    def leftovers(self) -> list[str]:
        """Return the command lines of processes that outlive their command by more than the time to notice it."""
        left = []
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                fd = os.pidfd_open(pid)
                try:
                    if not select.select([fd], [], [], _LEFTOVER_PATIENCE_S)[0]:
                        left.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
                        os.kill(pid, signal.SIGKILL)
                finally:
                    os.close(fd)
        return left

    def close(self) -> None:
        """End what a failed test left running, then check that no command left a process."""
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.communicate()
        left = self.leftovers()
        shutil.rmtree(self.runtime, ignore_errors=True)
        assert [] == left


class WarmSandbox(Sandbox):
    """A sandbox whose questions are answered by a warm host, started before the first one."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._has_host = False

    def start(self, *arguments: str | bytes, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command, after the segment's host if it is the first question."""
        is_question = bool(arguments) and arguments[0] in QUESTIONS and not {"-h", "--help"} & set(arguments)
        if is_question and not self._has_host:
            self._has_host = True
            started = self.finish(super().start("daemon", "start", env={"PYTHONWARNINGS": "error"}))
            assert 0 == started.exit_code, started
        return super().start(*arguments, **options)

    def close(self) -> None:
        """End the host, then what every sandbox does."""
        if self._has_host and self.segment.is_dir():
            super().run("daemon", "stop", cwd=self.segment)
        super().close()


QUESTIONS = ("search", "get", "resolve", "refs", "hover", "map")
BOTH_WAYS = ("test_command_line", "test_text_search", "test_map")
"""Modules whose tests run in processes of their own and through a warm host."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of the command line both ways, but for those of what a host does by itself."""
    is_both_ways = metafunc.module.__name__.rpartition(".")[2] in BOTH_WAYS
    if "sandbox" in metafunc.fixturenames and is_both_ways and not metafunc.definition.get_closest_marker("alone"):
        metafunc.parametrize("sandbox", ["alone", "warm"], indirect=True)


@pytest.fixture
def sandbox(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A home and an empty segment."""
    box = WarmSandbox(tmp_path) if getattr(request, "param", "alone") == "warm" else Sandbox(tmp_path)
    yield box
    box.close()


@pytest.fixture
def repository(sandbox: Sandbox) -> Sandbox:
    """A home and a segment that holds a small shop."""
    sandbox.write(REPOSITORY)
    return sandbox
