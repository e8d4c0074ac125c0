"""The warm host: the same answers as without one, one of its kind, and nothing left of it however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.conftest import UNWATCHED, Run, Sandbox
from tests.process_tree import PATIENCE_S, process_is_gone, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

OFF = {"CTX_DAEMON": "off"}


def _host(sandbox: Sandbox, *arguments: str, **options: Any) -> dict[str, Any]:
    """Start a host and return what `status` says of it."""
    started = sandbox.run("daemon", "start", "--json", *arguments, **options)
    assert 0 == started.exit_code, started
    return started.document


@pytest.fixture
def warm(repository: Sandbox) -> Iterator[Sandbox]:
    """The small shop with a warm host."""
    _host(repository)
    yield repository
    repository.run("daemon", "stop")


def _has_served(sandbox: Sandbox, count: int) -> bool:
    """Tell whether a host says that it served so many: a command may be over before the front has heard of it."""
    told: list[int] = []

    def has_come() -> bool:
        told.append(sandbox.host_status().get("served", -1))
        return told[-1] >= count

    return wait_until(has_come) and told[-1] == count


def _comparable(run: Run) -> tuple[int, str, str]:
    out = re.sub(r'"took_ms":[0-9.]+', '"took_ms":0', run.out)
    return run.exit_code, re.sub(r'"as_of":"[^"]*"', '"as_of":""', out), run.err


SAME: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    (("search", "signed cookie"), {}),
    (("search", "signed cookie", "--json"), {}),
    (("search", "-e", "def .*cookie"), {}),
    (("search", "zzqqxx"), {}),
    (("search", "zzqqxx", "--json"), {}),
    (("search", "cookie", "-b", "5"), {}),
    (("search", "cookie", "-b", "-5"), {}),
    (("search", "cookie", "--focus", "gone.py", "--json"), {}),
    (("get", "shop/cart.py"), {}),
    (("get", "shop/cart.py#Cart", "--mode", "raw", "--json"), {}),
    (("get", "nowhere.py"), {}),
    (("get", "../outside"), {}),
    (("get", "a", "--mode", "none"), {}),
    (("resolve", "Cart"), {}),
    (("resolve", "shop/cart.py:19:10", "--json"), {}),
    (("refs", "Cart.add_line"), {}),
    (("refs", "load_cookie", "--callers", "--json"), {}),
    (("map",), {}),
    (("map", "shop", "-b", "40", "--json"), {}),
    (("search", "cookie"), {"CTX_SEARCH_LIMIT": "1"}),
    (("search", "cookie"), {"CTX_SEARCH_LIMIT": "many"}),
    (("search", "cookie"), {"CTX_TELEMETRY": "off"}),
    (("search", "cookie"), {"LC_ALL": "C", "PYTHONIOENCODING": "ascii:replace"}),
    (("search", "cookie", "--segment", "nowhere"), {}),
)


def test_same_bytes_and_exit_codes(warm: Sandbox) -> None:
    """Every command answers through the host what it answers alone, to the byte, also on standard error."""
    warm.write({"shop/ünïcode.py": "def grüße_cookie(): ...\n"})
    assert wait_until(lambda: warm.ok("search", "grüße_cookie", env=OFF).out != "")
    served = warm.host_status()["served"]
    for arguments, env in SAME:
        alone = warm.run(*arguments, env={**env, **OFF})
        through_host = warm.run(*arguments, env=env)
        assert _comparable(alone) == _comparable(through_host), arguments
    # All but a segment that is none; nothing was run in its client's own process instead.
    assert _has_served(warm, served + len(SAME) - 1)


def test_surroundings_of_the_command_are_the_clients(warm: Sandbox) -> None:
    """Directory, umask, environment that is no UTF-8, arguments that are none, and limits are those of the caller."""
    warm.write({"shop/sub/deep.py": "def deep_cookie(): ...\n"})
    there = warm.segment / "shop/sub"
    alone = warm.run("get", "deep.py", "--segment", "..", cwd=there, env=OFF)
    assert _comparable(alone) == _comparable(warm.run("get", "deep.py", "--segment", "..", cwd=there))
    odd = os.fsdecode(b"caf\xe9")
    for env in ({"ODD": odd}, {"NO_COLOR": "1", "TERM": "dumb"}):
        alone = warm.run("search", b"caf\xe9 cookie", env={**env, **OFF})
        assert _comparable(alone) == _comparable(warm.run("search", b"caf\xe9 cookie", env=env))
    script = "import os, sys; os.umask(0o077); os.execv(sys.executable, [sys.executable, '-m', 'ctx', *sys.argv[1:]])"
    telemetry = warm.segment / "_ctx/telemetry/last_run.json"
    telemetry.unlink()
    assert 0 == warm.run("-c", script, "search", "cookie", program=()).exit_code
    assert 0o600 == telemetry.stat().st_mode & 0o777
    with_limit = [warm.run("search", "cookie", env=env, file_bytes_max=10) for env in (OFF, {})]
    assert _comparable(with_limit[0]) == _comparable(with_limit[1])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has capabilities to give up")
def test_a_client_with_less_power_is_not_served(warm: Sandbox) -> None:
    """A command that may do less than the host runs in its own process, and fails as it has to."""
    (warm.segment / "shop/cart.py").chmod(0)
    alone = warm.run("get", "shop/cart.py", "--mode", "raw", obeys_permissions=True, env=OFF)
    with_host = warm.run("get", "shop/cart.py", "--mode", "raw", obeys_permissions=True)
    assert _comparable(alone) == _comparable(with_host)
    assert "class Cart" not in with_host.out
    assert 0 == warm.host_status()["served"]


def _on_terminal(sandbox: Sandbox, *arguments: str, **env: str) -> tuple[int, bytes]:
    ours, theirs = pty.openpty()
    try:
        process = sandbox.start(*arguments, stdout=theirs, stderr=theirs, env={"TERM": "xterm-256color", **env})
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # EIO: the last process let go of the terminal
            while part := os.read(ours, 65_536):
                written += part
        return process.wait(), written
    finally:
        os.close(ours)


def test_same_on_a_terminal(warm: Sandbox) -> None:
    """Colour and width are those of the client's terminal."""
    for env in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLUMNS": "40"}):
        alone = _on_terminal(warm, "search", "signed cookie", **env, **OFF)
        assert alone == _on_terminal(warm, "search", "signed cookie", **env)
    assert b"\x1b[" in _on_terminal(warm, "search", "signed cookie")[1]


def test_telemetry_is_as_without_a_host(warm: Sandbox) -> None:
    """A run through the host writes the events it writes alone, under an id and a process of its own."""
    assert wait_until(lambda: warm.host_status()["index"]["is_clean"])

    def events_of(env: dict[str, str]) -> list[str]:
        before = len(warm.events())
        warm.ok("search", "cookie", env=env)
        new = [event for event in warm.events()[before:] if event["cmd"] != "index.update"]
        assert 1 == len({event["run_id"] for event in new})
        return [event["cmd"] for event in new]

    assert ["command.start", "index.search", "ctx.search", "command.end"] == events_of(OFF)
    assert events_of(OFF) == events_of({})


# --- one of its kind ------------------------------------------------------------------------------------------------


def test_start_is_idempotent_and_status_tells(warm: Sandbox) -> None:
    """A second start finds the first; status knows processes, figures, index and when it is going to end."""
    first = warm.host_status()
    again = _host(warm)
    assert ("running", first["front_pid"]) == (again["state"], again["front_pid"])
    warm.ok("search", "cookie")
    assert wait_until(lambda: (1, 0) == tuple(warm.host_status()[name] for name in ("served", "running")))
    known = warm.host_status()
    assert ("ctx.daemon/1", []) == (known["schema"], known["servers"])
    assert known["host_memory_bytes"] > 10_000_000
    assert known["idle_until"] > known["started"]
    shown = warm.ok("daemon", "status").out
    assert "1 served" in shown
    assert str(known["backend_pid"]) in shown


def test_no_host(repository: Sandbox) -> None:
    """Without one, status ends with 1, stop is content, logs has nothing to show, and the words say so."""
    run = repository.run("daemon", "status", "--json")
    assert (1, "not running") == (run.exit_code, run.document["state"])
    assert "no warm host" in repository.ok("daemon", "stop").out
    assert 1 == repository.run("daemon", "logs").exit_code


def test_a_host_is_started_by_who_ignores_the_end_of_children(repository: Sandbox) -> None:
    """A parent that ignores SIGCHLD hands that on to all it starts; the command and the host learn of theirs."""
    ignoring = "import signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    ignoring += "from ctx.__main__ import main\nsys.exit(main())"
    started = repository.run("daemon", "start", "--json", program=("-c", ignoring))
    assert (0, "") == (started.exit_code, started.err)
    assert repository.ok("search", "cookie").out
    assert _has_served(repository, 1)
    assert "stopped" in repository.ok("daemon", "stop").out


def test_twelve_starts_at_once_make_one_host(repository: Sandbox) -> None:
    """Whoever loses the race finds the winner."""
    processes = [repository.start("daemon", "start", "--json") for _ in range(12)]
    told = [repository.finish(process) for process in processes]
    assert {0} == {run.exit_code for run in told}, told
    assert 1 == len({run.document["front_pid"] for run in told})
    repository.ok("daemon", "stop")


def test_a_stale_socket_is_replaced(warm: Sandbox) -> None:
    """What a killed host left in the way costs commands nothing and the next host neither."""
    known = warm.host_status()
    sockets = sorted(path.name for path in (warm.runtime / "ctx").iterdir())
    os.kill(known["front_pid"], signal.SIGKILL)
    assert process_is_gone(known["backend_pid"])
    assert sockets == sorted(path.name for path in (warm.runtime / "ctx").iterdir())
    assert warm.ok("search", "cookie").out
    assert _host(warm)["front_pid"] != known["front_pid"]
    warm.ok("search", "cookie")
    assert _has_served(warm, 1)


_FOREIGN = """
import sys
import ctx
ctx.__version__ = "0.0.1"
from ctx.__main__ import main
sys.exit(main())
"""


def test_another_version(warm: Sandbox) -> None:
    """A client of another version works alone; `daemon start` of another version replaces the host and says so."""
    first = warm.host_status()
    assert warm.ok("search", "cookie", program=("-c", _FOREIGN)).out
    assert 0 == warm.host_status()["served"]
    started = warm.start("daemon", "start", "--foreground", program=("-c", _FOREIGN))
    assert process_is_gone(first["front_pid"])
    assert wait_until(lambda: warm.run("daemon", "status", "--json").document.get("version") == "0.0.1")
    run = warm.run("daemon", "start", "--json")
    assert "is of another ctx (0.0.1); it is replaced" in run.complaint
    assert "0.0.1" != run.document["version"]
    assert b"replaced" in started.communicate(timeout=PATIENCE_S)[1]


def test_changed_settings_are_named_and_taken_over_by_start(warm: Sandbox) -> None:
    """Status and doctor name what a host was started before; only a person's `daemon start` replaces it for that."""
    first = warm.host_status()
    assert [] == first["changed_settings"]
    warm.write({"_ctx/config.toml": '[lsp]\nwarm = ["none"]\n[daemon]\nidle_minutes = 7\n'})
    assert ["lsp.warm", "daemon.idle_minutes"] == warm.host_status()["changed_settings"]
    assert "settings lsp.warm, daemon.idle_minutes changed since it started" in warm.ok("daemon", "status").out
    assert "started before lsp.warm, daemon.idle_minutes changed" in warm.ok("doctor").out
    by_a_face = _host(warm, "--foreground", "--until-unused")
    assert ("running", first["front_pid"]) == (by_a_face["state"], by_a_face["front_pid"])
    run = warm.run("daemon", "start", "--json")
    assert "has other settings (lsp.warm, daemon.idle_minutes); it is replaced" in run.complaint
    assert process_is_gone(first["front_pid"])
    assert ("started", []) == (run.document["state"], run.document["changed_settings"])


def test_places_that_are_not_ours_alone(repository: Sandbox) -> None:
    """A runtime folder that others may enter, or a link, holds no host, and a socket in it is not spoken to."""
    folder = repository.runtime / "ctx"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    known = _host(repository)
    assert [] == list(folder.iterdir())  # it went to the other place
    assert repository.ok("search", "cookie").out
    assert _has_served(repository, 1)
    repository.ok("daemon", "stop")
    assert process_is_gone(known["front_pid"])


def test_a_path_too_long_for_a_socket(repository: Sandbox) -> None:
    """A runtime folder whose sockets would have too long a path is passed over."""
    runtime = repository.home / ("r" * 100)
    runtime.mkdir(parents=True)
    env = {"XDG_RUNTIME_DIR": str(runtime)}
    _host(repository, env=env)
    assert repository.ok("search", "cookie", env=env).out
    assert wait_until(lambda: 1 == repository.json("daemon", "status", env=env)["served"])
    repository.ok("daemon", "stop", env=env)
    assert [] == list(runtime.iterdir())


def test_a_runtime_folder_that_cannot_be_written(repository: Sandbox) -> None:
    """Without any place for a socket, start says what is wrong, and commands work."""
    script = (
        "import sys; from ctx.infrastructure.host import places;"
        "places.runtime_folders = lambda: ['/proc/none/ctx'];"
        "from ctx.__main__ import main; sys.exit(main())"
    )
    run = repository.run("daemon", "start", program=("-c", script))
    assert 3 == run.exit_code
    assert "no place for the warm host's socket" in run.complaint
    assert "XDG_RUNTIME_DIR" in run.complaint
    assert repository.ok("search", "cookie", program=("-c", script)).out


# --- ends -----------------------------------------------------------------------------------------------------------


def test_nothing_is_left_after_stop(warm: Sandbox) -> None:
    """Stop returns when every process of the host is gone, and its files with them."""
    warm.ok("search", "cookie")
    warm.ok("daemon", "stop")
    assert [] == warm.processes()
    assert [] == list((warm.runtime / "ctx").iterdir())
    assert "front" in warm.ok("daemon", "logs").out
    ends = [event for event in warm.events() if event["cmd"] == "command.end" and event["args"]["face"] == "daemon"]
    assert [0] == [event["result"]["exit_code"] for event in ends]


def test_nothing_is_left_after_an_idle_exit(repository: Sandbox) -> None:
    """A host that nobody used for its time ends with everything."""
    script = (
        "import sys; from ctx.infrastructure import config;"
        "config.Config.number = (lambda old: lambda self, name:"
        " 0.005 if name == 'daemon.idle_minutes' else old(self, name))(config.Config.number);"
        "from ctx.__main__ import main; sys.exit(main())"
    )
    host = repository.start("daemon", "start", "--foreground", "--json", program=("-c", script))
    out, err = host.communicate(timeout=PATIENCE_S)
    assert b"" == err
    assert "ended" == json.loads(out)["state"]
    assert "not used" in repository.ok("daemon", "logs").out
    assert [] == repository.processes()


def test_nothing_is_left_when_the_segment_goes(warm: Sandbox) -> None:
    """A host whose directory was renamed away, so that its path is another's, ends by itself."""
    known = warm.host_status()
    warm.segment.rename(warm.root / "elsewhere")
    warm.segment.mkdir()
    assert process_is_gone(known["front_pid"])
    assert [] == warm.processes()


def test_over_its_memory_limit_the_host_ends(repository: Sandbox) -> None:
    """The limit counts host and servers together; the log says what happened."""
    env = {"CTX_DAEMON_MEMORY_MIB": "128"}
    script = (
        "import sys; from ctx.infrastructure.host import backend;"
        "backend.MEMORY_LOOK_EVERY_S = 0.1; backend.proportional_bytes = lambda pid: 100 << 20;"
        "from ctx.__main__ import main; sys.exit(main())"
    )
    host = repository.start("daemon", "start", "--foreground", program=("-c", script), env=env)
    assert 0 == repository.finish(host).exit_code
    assert "200 MiB of 128" in repository.ok("daemon", "logs").out
    assert [] == repository.processes()


def test_a_killed_front_leaves_nothing_and_costs_nothing(warm: Sandbox) -> None:
    """After kill -9 of the front its backend and its waiting copies end; the next command answers."""
    known = warm.host_status()
    os.kill(known["front_pid"], signal.SIGKILL)
    assert warm.ok("search", "cookie").out
    assert [] == warm.leftovers()


def test_a_killed_backend_comes_back(warm: Sandbox) -> None:
    """After kill -9 of the backend the front starts another one; commands do not notice."""
    known = warm.host_status()
    os.kill(known["backend_pid"], signal.SIGKILL)
    assert warm.ok("search", "cookie").out
    assert wait_until(lambda: warm.host_status().get("backend_pid") not in {None, known["backend_pid"]})
    assert (2, known["front_pid"]) == (warm.host_status()["backend_starts"], warm.host_status()["front_pid"])


# --- commands under way ---------------------------------------------------------------------------------------------

_SLOW_SCRIPT = """
import os, sys
from ctx.infrastructure.host import child
from ctx.infrastructure.cli import entry
run = entry.main
def slow(arguments=None):
    if "SLOW" in os.environ:
        stage, ready = os.environ["SLOW"].split(":")
        from ctx.infrastructure.cli import runner
        show = runner.show
        def wait():
            with open(ready, "w") as file:
                file.write(str(os.getpid()))
            import time
            while True:
                time.sleep(60)
        def after(*given, **options):
            show(*given, **options)
            wait()
        def before(*given, **options):
            wait()
        if stage == "body":
            from ctx.application import search
            search.search = before
        runner.show = after if stage == "shown" else runner.show
    return run(arguments)
entry.main = slow
from ctx.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def slow(repository: Sandbox) -> Iterator[Sandbox]:
    """A host whose commands stop in the middle when the variable SLOW says where."""
    host = repository.start("daemon", "start", "--foreground", program=("-c", _SLOW_SCRIPT), env=UNWATCHED)
    assert wait_until(lambda: repository.run("daemon", "status").exit_code == 0)
    yield repository
    repository.run("daemon", "stop")
    host.wait(PATIENCE_S)


def _under_way(sandbox: Sandbox, stage: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a search that stops at a stage, and return it with the process of the host that runs it."""
    ready = sandbox.root / "ready"
    started: list[subprocess.Popen[bytes]] = []

    def is_under_way() -> bool:
        # One that a busy host did not take in time runs alone, to its end.
        if not started or started[-1].poll() is not None:
            started.append(sandbox.start("search", "cookie", env={**UNWATCHED, "SLOW": f"{stage}:{ready}"}))
        return ready.exists() and ready.read_text() != ""

    assert wait_until(is_under_way)
    return started[-1], int(ready.read_text())


def test_ctrl_c_reaches_the_command(slow: Sandbox) -> None:
    """An interrupted client ends as it does alone: the same line, code 130, and its copy in the host is gone."""
    process, child = _under_way(slow, "body")
    process.send_signal(signal.SIGINT)
    run = slow.finish(process)
    assert (130, "", "ctx: interrupted; what was finished is kept\n") == (run.exit_code, run.out, run.err)
    assert process_is_gone(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_client_takes_its_command_along(slow: Sandbox, number: signal.Signals) -> None:
    """A client that was killed is not outlived by its command, which says nothing any more."""
    process, child = _under_way(slow, "body")
    process.send_signal(number)
    assert (-number, "", "") == (slow.finish(process).exit_code, "", "")
    assert process_is_gone(child)


def test_a_command_lost_before_its_output_is_run_again(slow: Sandbox) -> None:
    """When its copy is killed before it wrote anything, the client runs the command itself."""
    process, child = _under_way(slow, "body")
    os.kill(child, signal.SIGKILL)
    run = slow.finish(process)
    assert (0, "") == (run.exit_code, run.err)
    assert slow.ok("search", "cookie", env=OFF).out == run.out


def test_a_command_lost_in_its_output_is_not_run_twice(slow: Sandbox) -> None:
    """When its copy is killed after the answer was begun, one line says so, with exit code 3."""
    process, child = _under_way(slow, "shown")
    os.kill(child, signal.SIGKILL)
    run = slow.finish(process)
    assert 3 == run.exit_code
    assert "lost this command" in run.complaint


def test_a_killed_front_does_not_take_commands_along(slow: Sandbox) -> None:
    """A command under way goes on without the front."""
    process, child = _under_way(slow, "body")
    os.kill(slow.host_status()["front_pid"], signal.SIGKILL)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert 130 == slow.finish(process).exit_code
    assert process_is_gone(child)


def test_a_silent_connection_is_in_nobodys_way(warm: Sandbox) -> None:
    """Clients that connect and say nothing, or nonsense, hold up nobody."""
    path = next(str(path) for path in (warm.runtime / "ctx").glob("*.sock"))
    silent = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    try:
        for connection in silent:
            connection.connect(path)
        silent[0].sendall(b"GET / HTTP/1.1\r\n\r\n" * 4)
        silent[1].sendall(b"ctx-host 0001 0009999999x")
        assert warm.ok("search", "cookie").out
    finally:
        for connection in silent:
            connection.close()


def test_fifty_clients_at_once(warm: Sandbox) -> None:
    """Of fifty commands at once none is lost and none gets another's answer."""
    questions = ["load_cookie", "shipping_costs", "add_line", "sign"] * 12 + ["Cart", "store"]
    expected = {query: warm.ok("resolve", query, env=OFF).out for query in set(questions)}
    started = [(query, warm.start("resolve", query)) for query in questions]
    for query, process in started:
        run = warm.finish(process)
        assert (0, expected[query], "") == (run.exit_code, run.out, run.err)
    assert _has_served(warm, len(questions))


def test_auto_start(repository: Sandbox) -> None:
    """With daemon.auto the first question leaves a host for the second; without it, or switched off, it does not."""
    repository.ok("search", "cookie")
    repository.ok("search", "cookie", env={"CTX_DAEMON_AUTO": "1", **OFF})
    assert 1 == repository.run("daemon", "status").exit_code
    repository.ok("search", "cookie", env={"CTX_DAEMON_AUTO": "1"})
    assert wait_until(lambda: repository.run("daemon", "status", "--json").document.get("served") is not None)
    repository.ok("search", "cookie")
    assert _has_served(repository, 1)
    repository.ok("daemon", "stop")


def test_an_inherited_pipe_is_not_kept_open(repository: Sandbox) -> None:
    """A pipe that the caller's shell had open ends with the command, not with the host it started."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    process = repository.start("daemon", "start", pass_fds=(writer,))
    os.close(writer)
    assert 0 == repository.finish(process).exit_code
    assert b"" == os.read(reader, 1)
    os.close(reader)
    repository.ok("daemon", "stop")
