"""What `ctx doctor` tells of language servers, and that it runs nothing of a repository for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.process_tree import wait_until

from ctx.infrastructure.cli.server_report import VERSION_LIMIT_S, server_checks, server_report
from ctx.infrastructure.config import load_config

if TYPE_CHECKING:
    from tests.integration.conftest import Sandbox

BASE = {"PATH": "/usr/bin:/bin", "CTX_LSP_ENABLED": "true"}

OWN = all(shutil.which(name, path=os.path.dirname(sys.executable)) for name in ("ty", "basedpyright-langserver"))


@pytest.fixture
def shop(repository: Sandbox) -> Sandbox:
    """The small shop, indexed: what is not, has no languages yet."""
    repository.ok("index")
    return repository


def _program(sandbox: Sandbox, path: str, body: str) -> Path:
    file = sandbox.home / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


def _report(sandbox: Sandbox, **environ: str) -> dict[str, Any]:
    (row,) = sandbox.json("doctor", env=BASE | environ)["servers"]
    found: dict[str, Any] = row
    return found


def _checks(sandbox: Sandbox, **environ: str) -> list[tuple[str, str, str]]:
    document = sandbox.json("doctor", env=BASE | environ)
    assert document["healthy"]
    return [(row["name"], row["found"], row["do"]) for row in document["checks"] if row["name"].startswith("server")]


@pytest.mark.skipif(not OWN, reason="basedpyright and ty are not installed beside ctx: the extra lsp brings them")
def test_what_ctxs_own_environment_brings(shop: Sandbox) -> None:
    """With basedpyright and ty installed beside ctx both roles have a server, of a version that it said itself."""
    row: dict[str, Any] = {}

    def have_versions() -> bool:
        """Ask; a program that a machine reads from its disk for the first time may take too long to say its version."""
        row.update(_report(shop))
        return all(row[role]["version"] for role in ("cold", "warm"))

    assert wait_until(have_versions)
    assert ("python", ".", "ty", "basedpyright") == (
        row["language"],
        row["root"],
        row["cold"]["server"],
        row["warm"]["server"],
    )
    assert ["ctx", "ctx"] == [row[role]["source"] for role in ("cold", "warm")]
    assert [] == [role for role in ("cold", "warm") if not row[role]["version"][0].isdigit()]
    assert os.path.isfile(row["interpreter"])


def test_text_for_people(shop: Sandbox) -> None:
    """One line for a language: who, which version, from where; the home is a tilde."""
    program = _program(shop, "tools/ty", 'echo "ty 1.2.3 (abc)"')
    run = shop.ok("doctor", env=BASE | {"PATH": f"{program.parent}:/usr/bin:/bin", "CTX_LSP_WARM": "ty"})
    (line,) = [line for line in run.out.splitlines() if "server python" in line]
    assert "ok   server python      ty 1.2.3 (PATH: ~/tools/ty)" == line.partition("; interpreter")[0]
    assert str(shop.home) not in run.out


def test_what_to_install(shop: Sandbox) -> None:
    """A missing server is advice, not a failure; what was named and is missing is not replaced."""
    checks = _checks(shop, CTX_LSP_COLD="jedi-language-server", CTX_LSP_WARM="jedi-language-server")
    assert [("server python", "none is used", "pip install basedpyright ty")] == checks


def test_switched_off(shop: Sandbox) -> None:
    """Both ways are told apart from what is missing."""
    assert [("servers", "off (lsp.enabled)", "")] == _checks(shop, CTX_LSP_ENABLED="false")
    off = _checks(shop, CTX_LSP_COLD="none", CTX_LSP_WARM="none")
    assert [("server python", "none is used", "switched off by lsp.cold and lsp.warm")] == off


def test_names_that_are_not_known(shop: Sandbox) -> None:
    """With the nearest that is."""
    checks = _checks(shop, CTX_LSP_COLD="tyy:ty")
    assert ("servers", "lsp.cold: tyy is no server ctx knows; did you mean ty?", "") == checks[-1]


def test_a_program_that_prints_no_version(shop: Sandbox) -> None:
    """It is shown without; what it leaves running does not keep doctor waiting for ever."""
    program = _program(shop, "tools/ty", "exec sleep 600")
    began = time.monotonic()
    row = _report(shop, PATH=f"{program.parent}:/usr/bin:/bin")
    assert ("ty", "") == (row["cold"]["server"], row["cold"]["version"])
    assert VERSION_LIMIT_S <= time.monotonic() - began


def test_a_program_that_cannot_be_started(shop: Sandbox) -> None:
    """One whose interpreter went away, as with an upgrade of Python, and one that is no program: it says so."""
    script = _program(shop, "bin/ty", "")
    script.write_text("#!/gone/bin/python\n")
    row = _report(shop, CTX_LSP_COMMANDS=f"ty={script}", CTX_LSP_COLD="ty")
    assert "cannot be started: the interpreter in its first line is gone" == row["cold"]["problem"]
    script.write_text("no program")
    ((_name, found, _do),) = _checks(shop, CTX_LSP_COMMANDS=f"ty={script}", CTX_LSP_COLD="ty", CTX_LSP_WARM="ty")
    assert "[cannot be started: Exec format error]" in found


def test_a_repositorys_environment(shop: Sandbox) -> None:
    """Not trusted without git's word, broken when its Python is gone: doctor says so and runs none of it."""
    ran = shop.home / "ran"
    for folder, home in ((".venv", os.path.dirname(os.path.realpath(sys.executable))), ("tests/venv", "/nowhere")):
        shop.write({f"{folder}/pyvenv.cfg": f"home = {home}\n"})
        for name in ("python", "ty", "basedpyright", "basedpyright-langserver"):
            _program(shop, f"../segment/{folder}/bin/{name}", f"echo {name} >> {ran}")
    by_root = {row["root"]: row for row in shop.json("doctor", env=BASE)["servers"]}
    assert {"."} == set(by_root)
    notes = "\n".join(by_root["."]["notes"])
    assert ".venv is not used: git does not leave it out" in notes
    assert not ran.exists()
    shown = [(role["source"], role["program"]) for role in (by_root["."]["cold"], by_root["."]["warm"]) if role]
    assert [] == [row for row in shown if row[0] == "venv" or "venv" in row[1].removeprefix(str(Path(sys.prefix)))]


def test_an_environment_for_each_root(shop: Sandbox) -> None:
    """Two packages with environments of their own are two rows."""
    home = os.path.dirname(os.path.realpath(sys.executable))
    shutil.rmtree(shop.segment / ".git")
    _git(shop, "init", "--quiet")
    for folder in ("shop", "tests"):
        shop.write({f"{folder}/.venv/pyvenv.cfg": f"home = {home}\n"})
        (shop.segment / folder / ".venv/bin").mkdir()
        (shop.segment / folder / ".venv/bin/python").symlink_to(sys.executable)
    _git(shop, "add", "README.md")
    program = _program(shop, "tools/ty", 'echo "ty 1.2.3"')
    env = BASE | {"PATH": f"{program.parent}:/usr/bin:/bin"}
    rows = shop.json("doctor", env=env)["servers"]
    assert [("shop", "shop/.venv/bin/python"), ("tests", "tests/.venv/bin/python")] == [
        (row["root"], row["interpreter"]) for row in rows
    ]
    names = [row["found"].partition(": ")[0] for row in shop.json("doctor", env=env)["checks"][-2:]]
    assert ["shop", "tests"] == names


def test_what_running_servers_do_is_shown(tmp_path: Path) -> None:
    """A host's servers tell their state and their breaker's beside the role they have."""
    program = tmp_path / "ty"
    program.write_text("#!/bin/sh\necho ty 1.0\n")
    program.chmod(0o755)
    segment = tmp_path / "segment"
    segment.mkdir()
    config = load_config(str(segment), {"XDG_CONFIG_HOME": str(tmp_path), "CTX_LSP_COLD": "ty", "CTX_LSP_WARM": "ty"})
    running = [{"server": "ty", "root": ".", "state": "ready after 80 ms (diagnostics)", "breaker": "open for 3 s"}]
    environ = {"PATH": str(tmp_path)}
    report = server_report(str(segment), config, environ, [("python", "a.py"), ("text", "README")], running)
    (check,) = server_checks(report, config)
    assert (
        f"ty 1.0 (PATH: {program}) [ready after 80 ms (diagnostics), open for 3 s]" == check["found"].partition(";")[0]
    )


def _git(sandbox: Sandbox, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(sandbox.home), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *arguments], cwd=sandbox.segment, env=environment, check=True, capture_output=True)
