"""Start one command and see to it that nothing of it outlives its owner, however either of them ends.

A script of its own, started by path as `python -I -S launcher.py --control FD --report FD -- COMMAND...` (`USAGE` has
the options) and never imported by what starts it: it has to run before the owner's other imports would have ended, and
it must still be there when the owner was killed. The command gets the launcher's standard descriptors as they are and a
session of its own; the launcher keeps none of them, so a pipe's other end belongs to the command alone.

The owner holds the other ends of two pipes. Over the control pipe it says `T` (SIGTERM to the command's group, SIGKILL
after the grace) or `K` (SIGKILL at once); its end of file, which is what is left of a killed owner, means `K`. SIGTERM
to the launcher means `T`. When the command has ended, by itself or not, every process it left behind is killed too: its
group, and on Linux all its descendants, those in sessions of their own included.

The report pipe gets JSON, one object a line: `{"pid": N}` when the command runs; `{"pid": N, "exit_code": N,
"leftovers_killed": N}` when nothing of it is left, with `signal` in `exit_code`'s place if one ended it. A command that
cannot be started is one line, `{"failed_to_start": TEXT, "exit_code": 127}`. The launcher's own exit code is the
command's, 128 + N for a signal.
"""

from __future__ import annotations

import os
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    # `signal` dresses these functions in enumerations, which takes 5 ms: over half of what the whole start costs.
    import _signal as signal

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
GRACE_MS = 2000
ROUND_MS = 20
"""How long one round of killing waits for its processes to end before it looks again."""
NOT_STARTED = 127
USAGE_ERROR = 2
USAGE = "usage: launcher.py --control FD --report FD [--grace-ms N] [--directory PATH] -- COMMAND [ARGUMENT...]"


def main(arguments: list[str]) -> int:
    """Run the command to its end and the end of all it started; return the exit code."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    options, command = dict(zip(arguments[0:at:2], arguments[1:at:2], strict=False)), arguments[at + 1 :]
    try:
        control, report = int(options.pop("--control")), int(options.pop("--report"))
        grace_ms = int(options.pop("--grace-ms", str(GRACE_MS)))
        directory = options.pop("--directory", ".")
        if options or not command or min(control, report) <= 2:  # the first three are the command's
            raise ValueError(options)
    except (KeyError, ValueError):
        os.write(2, f"{USAGE}\n".encode())
        return USAGE_ERROR
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(null, True)  # came closed, and must not become one of our own pipes
    os.set_inheritable(control, False)
    os.set_inheritable(report, False)
    for name in os.listdir("/dev/fd"):  # what somebody let slip must not be held open by a command that stays
        if int(name) > 2 and int(name) not in {control, report, null}:
            _attempt(os.close, int(name))
    wake = _receive_signals()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    pid, failure = _start(command, directory)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    if failure:
        import json  # only here: 8 ms

        _tell(report, json.dumps({"failed_to_start": failure, "exit_code": NOT_STARTED}))
        return NOT_STARTED
    _tell(report, f'{{"pid": {pid}}}')
    killed: set[int] = set()
    leftovers: set[int] = set()
    try:
        code = _watch(pid, control, wake, grace_ms / 1000, killed)
    finally:
        _sweep(pid, wake, leftovers)
    ending = f'"exit_code": {code}' if code >= 0 else f'"signal": {-code}'
    _tell(report, f'{{"pid": {pid}, {ending}, "leftovers_killed": {len(leftovers - killed)}}}')
    return code if code >= 0 else 128 - code


def _receive_signals() -> int:
    """Leave the terminal and the owner's mask, and return a descriptor that tells of SIGCHLD and SIGTERM."""
    _attempt(os.setsid)  # else Ctrl-Z would stop us, and who stands still kills nobody
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return wake


def _prctl(option: int, value: int) -> None:
    """Set a property of this process, where there is such a thing."""
    if sys.platform == "linux":
        try:
            import _ctypes  # a tenth of what `ctypes` takes

            _ctypes.call_function(_ctypes.dlsym(_ctypes.dlopen(None, os.RTLD_NOW), "prctl"), (option, value, 0, 0, 0))  # type: ignore[arg-type]
        except (ImportError, AttributeError, OSError):  # an interpreter without it: the group is still killed
            pass


def _start(command: list[str], directory: str) -> tuple[int, str]:
    """Fork and execute; return the process and "", or what kept it from running."""
    failed, fails = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        step = "cannot enter its directory: "
        try:
            os.chdir(directory)
            step = ""
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # should we be killed ourselves; we have but one thread
            if os.getppid() != parent:
                os._exit(NOT_STARTED)  # killed before that: nobody would end what is started now
            os.setsid()
            for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                signal.signal(number, signal.SIG_DFL)
            os.execvp(command[0], command)  # noqa: S606 - no shell is the point
        except OSError as error:
            os.write(fails, f"{step}{error.strerror}".encode())
        finally:
            os._exit(NOT_STARTED)
    os.close(fails)
    failure = os.read(failed, 4096).decode()  # its end of file is the execution
    os.close(failed)
    return pid, failure


def _watch(pid: int, control: int, wake: int, grace_s: float, killed: set[int]) -> int:
    """Wait until the command has ended, ending it when told to; return its code, minus the number of a signal."""
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(wake, select.POLLIN)
    kill_at: float | None = None
    while (code := _ended(pid)) is None:
        left_ms = None if kill_at is None else max(0.0, kill_at - time.monotonic()) * 1000
        ready = dict(poller.poll(left_ms))
        orders = b"" if ready else b"K"  # the grace is over
        orders += b"T" if signal.SIGTERM in _drain(wake) else b""
        if control in ready:
            said = os.read(control, 64)
            orders += said or b"K"
            if not said:
                poller.unregister(control)  # it would be readable for ever
        if b"K" in orders:
            kill_at = None
            _attempt(os.killpg, pid, signal.SIGKILL)
            _kill_descendants(killed)
        elif b"T" in orders and kill_at is None:
            kill_at = time.monotonic() + grace_s
            _attempt(os.killpg, pid, signal.SIGTERM)
    return code


def _sweep(pid: int, wake: int, killed: set[int]) -> None:
    """Kill what is left of the group, and our descendants until there is none: on Linux, all the command started."""
    poller = select.poll()
    poller.register(wake, select.POLLIN)
    _kill_descendants(killed)
    _attempt(os.killpg, pid, signal.SIGKILL)  # the number is not given anew: the command is not collected yet
    while not _are_all_collected():
        _kill_descendants(killed)
        poller.poll(ROUND_MS)
        _drain(wake)


def _ended(pid: int) -> int | None:
    """Collect who has ended but the command; return that one's code if it has, None while it runs."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13: another group may get the number before ours is killed
        found, status = os.waitpid(pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if found else None
    while (one := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
        if one.si_pid == pid:
            return one.si_status if one.si_code == os.CLD_EXITED else -one.si_status
        os.waitpid(one.si_pid, 0)
    return None


def _are_all_collected() -> bool:
    """Collect who has ended; tell whether no child is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _kill_descendants(killed: set[int]) -> None:
    """Send SIGKILL to every living descendant, parents first, and note whom it was sent to."""
    found = _children(os.getpid())
    for pid in found:  # grows while it is walked
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                is_dead = file.read().rpartition(b")")[2].split()[0] == b"Z"
            found += _children(pid)
            if not is_dead:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        except OSError:
            pass  # gone meanwhile


def _children(pid: int) -> list[int]:
    """Return the children of a process's threads; none where the system does not tell."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:
        pass  # gone meanwhile, or no Linux
    return found


def _drain(wake: int) -> bytes:
    try:
        return os.read(wake, 512)
    except BlockingIOError:
        return b""


def _tell(report: int, line: str) -> None:
    _attempt(os.write, report, f"{line}\n".encode())


def _attempt(call: Any, *arguments: object) -> None:
    """Do what needs no doing if it fails: who is to be killed is gone, who is to be told is."""
    try:  # noqa: SIM105 - contextlib takes 3 ms
        call(*arguments)
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
