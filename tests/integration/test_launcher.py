"""The launcher's promises, on the process tree: whatever ends, and however, nothing of a command is left.

Its start has a figure, not a test: a command runs 4 ms after the bare interpreter would have (`python -I -S -c pass`).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.process_tree import process_is_gone

import ctx.infrastructure
from ctx.infrastructure import launcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAUNCHER = os.path.join(os.path.dirname(ctx.infrastructure.__file__), "launcher.py")
SECONDS_MAX = 60.0
LONG_GRACE_MS = 600_000

# What a command leaves behind, each telling its number on standard output: a child in its group that ignores SIGTERM, a
# child in a session of its own, a daemon (forked twice, adopted by whoever adopts), a child of that daemon.
_LEAVES_CHILDREN = """
import os, signal, sys, time
def told(pid):
    os.write(1, b"%d\\n" % pid)
def stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    told(os.getpid())
    while True:
        time.sleep(60)
if os.fork() == 0:
    stay()
if os.fork() == 0:
    os.setsid()
    stay()
middle = os.fork()
if middle == 0:
    os.setsid()
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
        stay()
    os._exit(0)
os.waitpid(middle, 0)
told(os.getpid())
"""
LEFT_BEHIND = 4

# An owner: starts the launcher in its own process, hands on what the command prints, and never ends by itself.
_OWNER = """
import os, subprocess, sys, time
read, write = os.pipe()
report_read, report_write = os.pipe()
launched = subprocess.Popen([sys.executable, "-I", "-S", sys.argv[1], "--control", str(read), "--report",
                             str(report_write), "--", *sys.argv[2:]], pass_fds=(read, report_write))
os.write(1, b"%d\\n" % launched.pid)
while True:
    time.sleep(60)
"""


class Launched:
    """A launcher that a test owns, and every process that it came to know of."""

    def __init__(self, *command: str, grace_ms: int = LONG_GRACE_MS, directory: str = ".", **options: Any) -> None:
        control, self.control = os.pipe()
        report_read, report = os.pipe()
        self.pids: list[int] = []
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            _command_line(control, report, grace_ms, *command, directory=directory),
            pass_fds=(control, report, *options.pop("slipped", ())),
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
        )
        self.pids.append(self.process.pid)
        os.close(control)
        os.close(report)
        self._reports = os.fdopen(report_read, "rb", buffering=0)

    def report(self) -> dict[str, Any]:
        """Return the launcher's next line."""
        found: dict[str, Any] = json.loads(_line(self._reports))
        return found

    def started(self) -> int:
        """Return the command's number once it runs."""
        found = self.report()
        assert ["pid"] == list(found)
        self.pids.append(found["pid"])
        return int(found["pid"])

    def told(self, count: int = 1) -> list[int]:
        """Return the next process numbers that the command prints."""
        found = [int(_line(self.process.stdout)) for _ in range(count)]
        self.pids += found
        return found

    def order(self, what: bytes) -> None:
        """Say something over the control pipe."""
        os.write(self.control, what)

    def let_go(self) -> None:
        """Close the control pipe, as an owner's end does."""
        os.close(self.control)
        self.control = -1

    def ended(self) -> tuple[int, dict[str, Any]]:
        """Wait for the launcher and return its exit code and its last line."""
        found = self.report()
        assert b"" == self._reports.read()
        return self.process.wait(SECONDS_MAX), found

    def left(self) -> list[int]:
        """Return which of the processes known of are still there, after the time to go."""
        return [pid for pid in self.pids if not process_is_gone(pid)]

    def close(self) -> None:
        """End what a failed test left."""
        if self.control >= 0:
            os.close(self.control)
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(SECONDS_MAX)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr, self._reports):
            if stream:
                stream.close()


def _command_line(control: int, report: int, grace_ms: int, *command: str, directory: str = ".") -> list[str]:
    options = ["--control", str(control), "--report", str(report), "--grace-ms", str(grace_ms)]
    return [sys.executable, "-I", "-S", LAUNCHER, *options, "--directory", directory, "--", *command]


def _line(stream: Any) -> bytes:
    """Return the next line, byte by byte: what follows it stays in the pipe."""
    found = b""
    while not found.endswith(b"\n"):
        assert select.select([stream], [], [], SECONDS_MAX)[0], f"nothing came after {found!r}"
        byte = os.read(stream.fileno(), 1)
        assert byte, f"the end came after {found!r}"
        found += byte
    return found


@pytest.fixture
def launch() -> Iterator[Callable[..., Launched]]:
    """What starts a launcher; none outlives the test."""
    made: list[Launched] = []

    def make(*command: str, **options: Any) -> Launched:
        made.append(Launched(*command, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def python(code: str) -> tuple[str, ...]:
    """Return the command that runs some code."""
    return (sys.executable, "-I", "-S", "-c", code)


STAYS = python("import os, time; os.write(1, b'%d\\n' % os.getpid())\nwhile True: time.sleep(60)")
IGNORES_SIGTERM = python(
    "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "os.write(1, b'%d\\n' % os.getpid())\nwhile True: time.sleep(60)"
)


def test_command_has_the_standard_descriptors_and_its_own_session(launch: Callable[..., Launched]) -> None:
    """Input, output and errors are the launcher's, nothing else is open, and the command leads a session."""
    code = (
        "import os, sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('complaint')\n"
        "print(os.getsid(0) == os.getpgid(0) == os.getpid(), sorted(map(int, os.listdir('/proc/self/fd')))[:-1])"
    )
    run = launch(*python(code), stdin=subprocess.PIPE)
    pid = run.started()
    assert (b"SAID\nTrue [0, 1, 2]\n", b"complaint") == run.process.communicate(b"said\n")
    assert (0, {"pid": pid, "exit_code": 0, "leftovers_killed": 0}) == run.ended()


def test_descriptors_that_slipped_in_are_held_by_nobody(launch: Callable[..., Launched]) -> None:
    """A pipe that the owner let slip is at its end for its reader, while launcher and command go on."""
    read, written = os.pipe()
    run = launch(*STAYS, slipped=(written,))
    os.close(written)
    run.started()
    assert select.select([read], [], [], SECONDS_MAX)[0]
    assert b"" == os.read(read, 1)
    os.close(read)
    run.order(b"K")
    assert signal.SIGKILL == run.ended()[1]["signal"]


def test_launcher_keeps_no_end_of_the_commands_pipes(launch: Callable[..., Launched]) -> None:
    """A command that closes its output is at its end for the reader, though it and the launcher go on."""
    run = launch(*python("import os, time; os.close(1); os.close(2)\nwhile True: time.sleep(60)"))
    run.started()
    assert select.select([run.process.stdout], [], [], SECONDS_MAX)[0]
    assert b"" == run.process.stdout.read()
    assert None is run.process.poll()
    run.order(b"K")
    assert signal.SIGKILL == run.ended()[1]["signal"]


@pytest.mark.parametrize(
    ("code", "exit_code", "ending"),
    [
        ("raise SystemExit(0)", 0, {"exit_code": 0}),
        ("raise SystemExit(7)", 7, {"exit_code": 7}),
        ("import os; os.kill(os.getpid(), 11)", 139, {"signal": 11}),
    ],
)
def test_report_says_how_the_command_ended(
    launch: Callable[..., Launched], code: str, exit_code: int, ending: dict[str, int]
) -> None:
    """An exit code or a signal, and the launcher ends as a shell would say it."""
    run = launch(*python(code))
    pid = run.started()
    assert (exit_code, {"pid": pid, **ending, "leftovers_killed": 0}) == run.ended()
    assert [] == run.left()


@pytest.mark.parametrize(
    ("name", "mode", "text"),
    [
        ("missing", None, "No such file or directory"),
        ("plain", 0o644, "Permission denied"),
        ("no program", 0o755, "Exec format error"),
    ],
)
def test_command_that_cannot_be_started_is_told(
    launch: Callable[..., Launched], tmp_path: Path, name: str, mode: int | None, text: str
) -> None:
    """The reason is the only line, and the exit code is a shell's."""
    if mode is not None:
        (tmp_path / name).write_bytes(b"\0\1\2\3")
        (tmp_path / name).chmod(mode)
    run = launch(str(tmp_path / name))
    expected = {"failed_to_start": text, "exit_code": launcher.NOT_STARTED}
    assert (launcher.NOT_STARTED, expected) == run.ended()


def test_command_runs_in_the_directory_asked_for(launch: Callable[..., Launched], tmp_path: Path) -> None:
    """A relative command is looked for there, too; without one it runs where the launcher was started."""
    (tmp_path / "say").write_text("#!/bin/sh\npwd -P\n")
    (tmp_path / "say").chmod(0o755)
    run = launch("./say", directory=str(tmp_path))
    run.started()
    assert (f"{tmp_path.resolve()}\n".encode(), 0) == (run.process.stdout.read(), run.ended()[0])


def test_missing_directory_is_told(launch: Callable[..., Launched], tmp_path: Path) -> None:
    """It is not taken for a missing command."""
    run = launch("true", directory=str(tmp_path / "missing"))
    expected = "cannot enter its directory: No such file or directory"
    assert {"failed_to_start": expected, "exit_code": launcher.NOT_STARTED} == run.ended()[1]


@pytest.mark.parametrize(
    "arguments",
    [[], ["--control", "3"], ["--control", "3", "--report", "4"], ["--control", "x", "--report", "4", "--", "true"]],
)
def test_wrong_arguments_are_told(arguments: list[str]) -> None:
    """One line says what was expected, and nothing is started."""
    run = subprocess.run([sys.executable, "-I", "-S", LAUNCHER, *arguments], capture_output=True, text=True)
    assert (launcher.USAGE_ERROR, "", f"{launcher.USAGE}\n") == (run.returncode, run.stdout, run.stderr)


def test_what_a_command_leaves_behind_is_killed(launch: Callable[..., Launched]) -> None:
    """Children that ignore SIGTERM, those in sessions of their own, daemons and their children end with the command."""
    run = launch(*python(_LEAVES_CHILDREN + "sys.stdin.read()"), stdin=subprocess.PIPE)
    pid = run.started()
    run.told(LEFT_BEHIND + 1)
    run.process.stdin.close()
    assert (0, {"pid": pid, "exit_code": 0, "leftovers_killed": LEFT_BEHIND}) == run.ended()
    assert [] == run.left()


def test_what_flees_by_forking_is_caught(launch: Callable[..., Launched]) -> None:
    """A process that is replaced by its child all the time, each in a session of its own, does not get away."""
    code = (
        "import os, sys\nif os.fork() == 0:\n    while os.fork() == 0: os.setsid()\n    os._exit(0)\nsys.stdin.read()"
    )
    run = launch(*python(code), stdin=subprocess.PIPE)
    pid = run.started()
    run.process.stdin.close()
    # The output's end comes when the last process that holds it has gone.
    assert b"" == run.process.stdout.read()
    assert (0, pid) == (run.ended()[0], run.pids[-1])


def test_killed_command_leaves_nothing(launch: Callable[..., Launched]) -> None:
    """Somebody else's SIGKILL to the command ends its children, too."""
    run = launch(*python(_LEAVES_CHILDREN + "time.sleep(600)"))
    pid = run.started()
    run.told(LEFT_BEHIND + 1)
    os.kill(pid, signal.SIGKILL)
    assert (137, {"pid": pid, "signal": 9, "leftovers_killed": LEFT_BEHIND}) == run.ended()
    assert [] == run.left()


@pytest.mark.parametrize("how", ["order", "signal"])
def test_termination_is_asked_for_first(launch: Callable[..., Launched], how: str) -> None:
    """`T`, like SIGTERM to the launcher, lets the command end in its own way."""
    code = (
        "import os, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "os.write(1, b'%d\\n' % os.getpid())\nwhile True: time.sleep(60)"
    )
    run = launch(*python(code))
    pid = run.started()
    run.told()
    if how == "order":
        run.order(b"T")
    else:
        run.process.terminate()
    assert (5, {"pid": pid, "exit_code": 5, "leftovers_killed": 0}) == run.ended()


def test_command_that_ignores_sigterm_is_killed_after_the_grace(launch: Callable[..., Launched]) -> None:
    """The grace is on the command line, and SIGKILL is what ends it."""
    run = launch(*IGNORES_SIGTERM, grace_ms=50)
    pid = run.started()
    run.told()
    run.order(b"T")
    assert (137, {"pid": pid, "signal": 9, "leftovers_killed": 0}) == run.ended()
    assert [] == run.left()


@pytest.mark.parametrize("orders", [b"K", b"TK", b"TTTTTTTT?K"])
def test_kill_does_not_wait_for_the_grace(launch: Callable[..., Launched], orders: bytes) -> None:
    """`K` kills at once, also within the grace of an earlier `T`; what is no order is passed over."""
    run = launch(*IGNORES_SIGTERM)
    pid = run.started()
    run.told()
    run.order(orders)
    assert (137, {"pid": pid, "signal": 9, "leftovers_killed": 0}) == run.ended()
    assert [] == run.left()


def test_closed_control_pipe_kills_everything(launch: Callable[..., Launched]) -> None:
    """The end of the control pipe kills the command and its children, and the report is still written."""
    run = launch(*python(_LEAVES_CHILDREN + "time.sleep(600)"))
    pid = run.started()
    run.told(LEFT_BEHIND + 1)
    run.let_go()
    code, report = run.ended()
    assert (137, 9, pid) == (code, report["signal"], report["pid"])
    assert [] == run.left()


def test_owner_killed_takes_everything_with_it() -> None:
    """SIGKILL to the owner ends the launcher, the command and all its children."""
    command = python(_LEAVES_CHILDREN + "time.sleep(600)")
    with subprocess.Popen([*python(_OWNER), LAUNCHER, *command], stdout=subprocess.PIPE) as owner:
        pids = [int(_line(owner.stdout)) for _ in range(LEFT_BEHIND + 2)]
        owner.kill()
        owner.wait(SECONDS_MAX)
        assert [True] * len(pids) == [process_is_gone(pid) for pid in pids]


def test_launcher_killed_takes_the_command_with_it(launch: Callable[..., Launched]) -> None:
    """SIGKILL to the launcher itself cannot be survived by the command."""
    run = launch(*STAYS)
    run.started()
    run.told()
    run.process.kill()
    assert [] == run.left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_terminal_signals_do_not_end_the_launcher(launch: Callable[..., Launched], number: signal.Signals) -> None:
    """It goes on watching, and what it is told afterwards still counts."""
    run = launch(*STAYS)
    pid = run.started()
    run.told()
    os.kill(run.process.pid, number)
    run.order(b"T")
    assert (143, {"pid": pid, "signal": 15, "leftovers_killed": 0}) == run.ended()


def test_command_starts_with_default_signals_and_no_mask(launch: Callable[..., Launched]) -> None:
    """What the owner ignores or blocks is not handed down, nor is what the launcher itself ignores."""
    run_ignoring = (
        "import os, signal, sys\n"
        "for number in (1, 2, 13, 15, 17): signal.signal(number, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    control, control_write = os.pipe()
    report_read, report = os.pipe()
    # Not told by an interpreter: it ignores SIGPIPE and SIGXFSZ from its start.
    line = _command_line(control, report, LONG_GRACE_MS, "grep", "-E", "SigBlk|SigIgn", "/proc/self/status")
    run = subprocess.run([*python(run_ignoring), *line], pass_fds=(control, report), capture_output=True)
    for descriptor in (control, control_write, report_read, report):
        os.close(descriptor)
    blocked, ignored = (int(line.split()[1], 16) for line in run.stdout.splitlines())
    # 32 and 33 belong to the C library: whoever started these tests may ignore them, and nobody can undo that by its
    # functions. A command that uses threads sets its own handlers for them.
    assert (0, 0) == (blocked, ignored & ~(1 << 31 | 1 << 32))


@pytest.mark.parametrize("descriptors", [(0,), (0, 1, 2)])
def test_closed_standard_descriptors_disturb_nothing(launch: Callable[..., Launched], descriptors: tuple[int]) -> None:
    """Started with some of them closed, launcher and command do the same; the command finds /dev/null there."""
    closing = "import os, sys\nfor fd in eval(sys.argv[1]): os.close(fd)\nos.execv(sys.argv[2], sys.argv[2:])"
    probe = f"import os; assert all(os.readlink('/proc/self/fd/%d' % fd) == '/dev/null' for fd in {descriptors})"
    control, control_write = os.pipe()
    report_read, report = os.pipe()
    line = _command_line(control, report, LONG_GRACE_MS, *python(probe))
    run = subprocess.run([*python(closing), repr(descriptors), *line], pass_fds=(control, report))
    os.close(report)
    with os.fdopen(report_read, "rb") as reports:
        started, ended = (json.loads(each) for each in reports)
    for descriptor in (control, control_write):
        os.close(descriptor)
    assert (0, {**started, "exit_code": 0, "leftovers_killed": 0}) == (run.returncode, ended)


def test_closing_the_commands_input_ends_only_what_reads_it(launch: Callable[..., Launched]) -> None:
    """The launcher does not read standard input; its end is for the command to see."""
    run = launch(*python("import sys; print(len(sys.stdin.read()))"), stdin=subprocess.PIPE)
    pid = run.started()
    assert (b"0\n", b"") == run.process.communicate(timeout=SECONDS_MAX)
    assert (0, {"pid": pid, "exit_code": 0, "leftovers_killed": 0}) == run.ended()


def test_adopted_orphans_that_end_by_themselves_are_collected(launch: Callable[..., Launched]) -> None:
    """While the command goes on, the orphans it left to the launcher do not stay as zombies."""
    code = (
        "import os, time\n"
        "middle = os.fork()\n"
        "if middle == 0:\n"
        "    orphan = os.fork()\n"
        "    if orphan: os.write(1, b'%d\\n' % orphan)\n"
        "    os._exit(0)\n"
        "os.waitpid(middle, 0)\n"
        "os.write(1, b'%d\\n' % os.getpid())\n"
        "while True: time.sleep(60)"
    )
    run = launch(*python(code))
    run.started()
    orphan, _ = run.told(2)
    limit = time.monotonic() + SECONDS_MAX
    while Path(f"/proc/{orphan}").exists():
        assert time.monotonic() < limit
        time.sleep(0.005)
    run.order(b"K")
    assert 137 == run.ended()[0]


# Runs the launcher with something in it replaced.
_CHANGED = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("launcher", sys.argv[1])
launcher = importlib.util.module_from_spec(spec)
spec.loader.exec_module(launcher)
{change}
sys.exit(launcher.main(sys.argv[2:]))
"""
# A look at whom the number belongs to when the command's group is killed after its end.
_LOOKS_AT_GROUP = """
killpg, report = os.killpg, int(sys.argv[5])
def look(pid, number):
    with open(f"/proc/{pid}/stat") as file:
        os.write(report, b"killed as %s\\n" % file.read().rpartition(") ")[2][:1].encode())
    killpg(pid, number)
os.killpg = look
"""
# Whoever kills the launcher before the command has asked to die with it.
_DIES_EARLY = """
prctl = launcher._prctl
def die(option, value):
    if option == launcher.PR_SET_PDEATHSIG:
        os.kill(os.getppid(), 9)
        while os.getppid() == parent:
            pass
    prctl(option, value)
launcher._prctl, parent = die, os.getpid()
"""


def _run_changed(change: str, *command: str) -> tuple[subprocess.CompletedProcess[bytes], bytes]:
    """Run a command through a launcher with that change; return how it ended, and its reports."""
    control_read, control = os.pipe()
    report_read, report = os.pipe()
    line = _command_line(control_read, report, LONG_GRACE_MS, *command)
    line[3:4] = ["-c", _CHANGED.format(change=change), LAUNCHER]
    ended = subprocess.run(
        line, pass_fds=(control_read, report), stdout=subprocess.PIPE, check=False, timeout=SECONDS_MAX
    )
    for descriptor in (control_read, control, report):
        os.close(descriptor)
    with open(report_read, "rb") as file:
        return ended, file.read()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_group_is_killed_while_its_number_is_its_own() -> None:
    """Once the command is collected, another may get its number, and the group of that one would be killed."""
    assert b"killed as Z\n" in _run_changed(_LOOKS_AT_GROUP, "true")[1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nobody is told of a parent's end")
def test_launcher_killed_early_starts_nothing() -> None:
    """Nobody would end the command."""
    ended, _reports = _run_changed(_DIES_EARLY, "echo", "it runs")
    assert (-signal.SIGKILL, b"") == (ended.returncode, ended.stdout)


def test_no_preexec_fn_anywhere() -> None:
    """Python code between fork and exec of a process with threads may never return; the launcher has none."""
    source = Path(ctx.infrastructure.__file__).parent.parent
    using = [path.name for path in source.rglob("*.py") if "preexec_fn" in path.read_text("utf-8")]
    assert [] == using
