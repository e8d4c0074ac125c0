"""Which server is found where, for whom, and what is not trusted: real folders, programs that are only looked at."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.git_repository import GitRepository

from ctx.domain.server_backends import backend_named
from ctx.infrastructure.ast_lsp.server_discovery import (
    FoundServer,
    ServerChoice,
    ServerDiscovery,
    all_servers,
    setting_notes,
    shown_path,
)
from ctx.infrastructure.config import Config, load_config

UNTRUSTED = "is not used: git does not leave it out, so it may have come with the repository; activate it"


@dataclass
class Machine:
    """A home, a segment in it, folders of programs, and the environment variables of a command."""

    home: Path
    segment: Path
    environ: dict[str, str]
    settings: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def program(self, path: Path, content: str = "\x7fELF", mode: int = 0o755) -> Path:
        """Make a file that can be executed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
        return path

    def on_path(self, *names: str, folder: str = "bin") -> Path:
        """Put programs into a folder of the home that stands on PATH."""
        place = self.home / folder
        for name in names:
            self.program(place / name)
        if str(place) not in self.environ["PATH"].split(":"):
            self.environ["PATH"] = f"{self.environ['PATH']}:{place}".strip(":")
        return place

    def venv(self, folder: Path, *programs: str) -> Path:
        """Make an environment that looks like a real one."""
        base = self.program(self.home / "python" / "bin" / "python3")
        (folder / "bin").mkdir(parents=True)
        (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\nversion = 3.11.7\n")
        (folder / "bin" / "python").symlink_to(base)
        for name in programs:
            self.program(folder / "bin" / name, "#!/bin/sh\n")
        return folder

    def repository(self, *tracked: str) -> GitRepository:
        """Make the segment a repository that leaves environments out and tracks something."""
        made = GitRepository(self.segment)
        made.write({"main.py": ""})
        made.git("add", "main.py")
        for path in tracked:
            made.git("add", "--force", path)
        return made

    @property
    def config(self) -> Config:
        """The settings as they stand."""
        usual = load_config(str(self.segment), {"XDG_CONFIG_HOME": str(self.home / "config")})
        return Config({**usual.values, **self.settings}, self.sources)

    def find(self, path: str = "main.py", language: str = "python", *, is_host: bool = False) -> FoundServer | None:
        """Look for the server of a file."""
        discovery = ServerDiscovery(str(self.segment), self.config, self.environ)
        return discovery.server_for(language, path, is_host=is_host)

    def found(self, path: str = "main.py", language: str = "python", *, is_host: bool = False) -> FoundServer:
        """Look for the server of a file, which must be there."""
        server = self.find(path, language, is_host=is_host)
        assert server is not None
        return server

    def choices(self, *files: tuple[str, str]) -> list[ServerChoice]:
        """Return what doctor is told."""
        return all_servers(str(self.segment), self.config, self.environ, files)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without any server; ctx's own environment is an empty folder."""
    real = tmp_path.resolve()
    home, segment = real / "home", real / "work" / "shop"
    home.mkdir()
    segment.mkdir(parents=True)
    own = home / "ctx" / "bin"
    own.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(own / "python"))
    return Machine(home, segment, {"PATH": "", "HOME": str(home)})


# --- where from ------------------------------------------------------------------------------------------------------


def test_nothing_installed(machine: Machine) -> None:
    """No server is no error."""
    assert (None, None) == (machine.find(), machine.find(language="markdown"))


@pytest.mark.parametrize(
    ("installed", "cold", "warm"),
    [
        (("ty", "basedpyright-langserver"), "ty", "basedpyright"),
        (("pylsp", "jedi-language-server"), "pylsp", "jedi-language-server"),
        (("pyright-langserver", "pylsp"), "pylsp", "pyright"),
        (("ty",), "ty", "ty"),
        (("basedpyright-langserver", "pyright-langserver"), "basedpyright", "basedpyright"),
    ],
)
def test_each_role_has_its_order(machine: Machine, installed: tuple[str, ...], cold: str, warm: str) -> None:
    """The first of the role's order that is installed."""
    machine.on_path(*installed)
    assert (cold, warm) == (machine.found().backend.name, machine.found(is_host=True).backend.name)


def test_the_order_of_the_places(machine: Machine) -> None:
    """What is configured, the project's environment, PATH, ctx's own environment."""
    own = machine.program(machine.home / "ctx/bin/ty")
    assert ((str(own), "server"), "ctx") == _from(machine)
    on_path = machine.on_path("ty") / "ty"
    assert ((str(on_path), "server"), "path") == _from(machine)
    machine.venv(machine.segment / ".venv", "ty")
    machine.repository()
    assert ((str(machine.segment / ".venv/bin/ty"), "server"), "venv") == _from(machine)
    configured = machine.program(machine.home / "opt/ty")
    machine.settings["lsp.commands"] = (f"ty={shlex.quote(str(configured))} server --verbose",)
    assert ((str(configured), "server", "--verbose"), "configured") == _from(machine)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("'{home}/my tools/ty' server -v", ("{home}/my tools/ty", "server", "-v")),
        ("{home}/my tools/ty", ("{home}/my tools/ty", "server")),
        ("~/opt/ty", ("{home}/opt/ty", "server")),
        ("wrapped-ty server", ("{home}/bin/wrapped-ty", "server")),
        ("./ty server", None),
        ("opt/ty server", None),
        ("/nowhere/ty server", None),
        ("'unbalanced", None),
        ("", None),
    ],
)
def test_command_lines(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, line: str, expected: tuple[str, ...] | None
) -> None:
    """Split as by a shell, spaces in paths or not; a program alone gets its usual arguments; relative ones are none."""
    monkeypatch.setenv("HOME", str(machine.home))
    monkeypatch.chdir(machine.home)
    for place in ("my tools/ty", "opt/ty"):
        machine.program(machine.home / place)
    machine.on_path("wrapped-ty", "ty")
    machine.settings["lsp.commands"] = ("ty=" + line.format(home=machine.home),)
    found = machine.find()
    assert (expected and tuple(word.format(home=machine.home) for word in expected)) == (found and found.command)


def test_what_cannot_be_executed_is_no_program(machine: Machine) -> None:
    """A folder, a file without the bit, a link to nowhere: the next place is looked at."""
    first = machine.on_path(folder="first")
    (first / "ty").mkdir(parents=True)
    machine.program(first / "pyright-langserver", mode=0o644)
    (first / "pylsp").symlink_to("gone")
    second = machine.on_path("pyright-langserver", folder="second")
    assert str(second / "pyright-langserver") == machine.found().command[0]


def test_relative_folders_of_path_are_left_out(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """They and the current folder hold what the repository put there; the server does not get them either."""
    machine.program(machine.segment / "tools/ty")
    machine.program(machine.segment / "ty")
    monkeypatch.chdir(machine.segment)
    machine.environ["PATH"] = "tools::."
    assert None is machine.find()
    folder = machine.on_path("ty")
    assert {"PATH": str(folder)} == machine.found().environment


@pytest.mark.parametrize("inside", ["node_modules/.bin", "tools"])
def test_folders_of_path_inside_the_segment_are_left_out(machine: Machine, inside: str) -> None:
    """A repository's own programs are not run because something put their folder on PATH; nor through a link to it."""
    machine.program(machine.segment / inside / "ty")
    (machine.home / "linked").symlink_to(machine.segment / inside)
    machine.environ["PATH"] = f"{machine.segment / inside}:{machine.home / 'linked'}"
    assert None is machine.find()


def test_a_home_as_segment_is_its_owners(machine: Machine) -> None:
    """Programs of `~/.local/bin` are no repository's when somebody works in their home."""
    machine.on_path("ty")
    machine.segment = machine.home
    assert "ty" == machine.found().backend.name


def test_modules_of_the_segment_are_left_out(machine: Machine) -> None:
    """A server written in Python would import what a repository calls `json.py`."""
    folder = machine.on_path("pylsp")
    outside = machine.home / "modules"
    machine.environ["PYTHONPATH"] = f".:{machine.segment}/src:{outside}"
    assert {"PYTHONPATH": str(outside), "PYTHONSAFEPATH": "1"} == machine.found().environment
    assert str(folder / "pylsp") == machine.found().command[0]


# --- npm -------------------------------------------------------------------------------------------------------------


def _npm(machine: Machine, package: str, version: str, *programs: str, folder: str = "npm") -> Path:
    """Install a package as npm does: a folder with package.json, and links to its programs."""
    modules = machine.home / folder / "node_modules"
    for name in programs:
        machine.program(modules / package / "bin" / name, "#!/usr/bin/env node\n")
        (modules / ".bin").mkdir(exist_ok=True)
        (modules / ".bin" / name).symlink_to(f"../{package}/bin/{name}")
    (modules / package).mkdir(parents=True, exist_ok=True)
    (modules / package / "package.json").write_text(json.dumps({"name": package, "version": version}))
    machine.environ["PATH"] += f":{modules / '.bin'}"
    return modules


@pytest.mark.parametrize(
    ("package", "version", "program", "expected"),
    [
        ("typescript", "7.0.2", "tsc", "typescript"),
        ("typescript", "5.9.3", "tsc", None),
        ("typescript", "6.0.0-beta", "tsc", None),
        ("tsc", "9.0.0", "tsc", None),
        ("@typescript/native-preview", "7.0.0-dev.20260707.2", "tsgo", "typescript"),
    ],
)
def test_which_typescript_speaks_the_protocol(
    machine: Machine, package: str, version: str, program: str, expected: str | None
) -> None:
    """The compiler of version 7 does; its name says nothing, its package does."""
    _npm(machine, package, version, program)
    found = machine.find("a.ts", "typescript")
    assert expected == (found and found.backend.name)
    others = machine.find("a.js", "javascript"), machine.find("a.tsx", "tsx")
    assert (expected, expected) == tuple(other and other.backend.name for other in others)
    assert (found and ("--lsp", "--stdio")) == (found and found.command[1:])


@pytest.mark.parametrize("content", ["", "[]", "{", '{"name": 7}'])
def test_a_package_that_says_nothing(machine: Machine, content: str) -> None:
    """It is not the one that is looked for, and doctor is told."""
    modules = _npm(machine, "typescript", "7.0.2", "tsc")
    (modules / "typescript/package.json").write_text(content)
    assert None is machine.find("a.ts", "typescript")
    (choice,) = machine.choices(("typescript", "a.ts"))
    assert "~/npm/node_modules/.bin/tsc: is not typescript 7 or later" == choice.notes[0].partition(" but ")[0]


def test_typescript_language_server_is_given_a_typescript(machine: Machine) -> None:
    """Left to itself it runs the one in the repository's node_modules."""
    modules = _npm(machine, "typescript-language-server", "5.3.0", "typescript-language-server")
    assert None is machine.find("a.ts", "typescript")
    (choice,) = machine.choices(("typescript", "a.ts"))
    assert "has no TypeScript of its own beside it" in choice.notes[0]
    server = machine.program(modules / "typescript/lib/tsserver.js")
    options = machine.found("a.ts", "typescript").backend.initialization_options
    assert {"useSyntaxServer": "never", "path": str(server)} == options["tsserver"]


def test_a_stand_in_of_rustups_is_not_taken(machine: Machine) -> None:
    """It would start the toolchain that a file of the repository names."""
    machine.settings["lsp.cold"] = ("rust-analyzer",)
    folder = machine.on_path("rustup")
    (folder / "rust-analyzer").symlink_to("rustup")
    assert None is machine.find("a.rs", "rust")
    (choice,) = machine.choices(("rust", "a.rs"))
    assert "~/bin/rust-analyzer: is rustup's stand-in" == choice.notes[0].partition(";")[0]
    real = machine.on_path("rust-analyzer", folder="real")
    assert str(real / "rust-analyzer") == machine.found("a.rs", "rust").command[0]


# --- which -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "cold", "warm"),
    [
        ({"lsp.cold": ("pylsp", "ty")}, "pylsp", "basedpyright"),
        ({"lsp.warm": ("pyright", "ty")}, "ty", "ty"),
        ({"lsp.cold": ("none",)}, None, "basedpyright"),
        ({"lsp.warm": ("none",)}, "ty", None),
        ({"lsp.enabled": False}, None, None),
        ({"lsp.cold": ("pyrefly",), "lsp.warm": ("pyrefly",)}, "pyrefly", "pyrefly"),
        ({"lsp.cold": ("gopls",)}, "ty", "basedpyright"),
        ({"lsp.cold": ("pylance", "pylsp")}, "pylsp", "basedpyright"),
        ({"lsp.cold": ("pyright",)}, None, "basedpyright"),
        ({"lsp.commands": ("pyrefly=pyrefly",)}, "ty", "basedpyright"),
    ],
)
def test_settings_choose(machine: Machine, settings: dict[str, Any], cold: str | None, warm: str | None) -> None:
    """Names in order of preference; those of other languages say nothing; what is named and missing is not replaced."""
    machine.on_path("ty", "pylsp", "basedpyright-langserver", "pyrefly")
    machine.settings |= settings
    found = machine.find(), machine.find(is_host=True)
    assert (cold, warm) == tuple(server and server.backend.name for server in found)


def test_who_runs_a_repositorys_programs_is_used_by_name_only(machine: Machine) -> None:
    """By the user's name for it: the file that comes with the repository does not count."""
    machine.on_path("pyrefly")
    assert None is machine.find()
    machine.settings["lsp.cold"] = ("pyrefly",)
    machine.sources["lsp.cold"] = "_ctx/config.toml"
    assert None is machine.find()
    machine.sources["lsp.cold"] = "CTX_LSP_COLD"
    assert "pyrefly" == machine.found().backend.name
    del machine.settings["lsp.cold"]
    machine.settings["lsp.commands"] = ("pyrefly=pyrefly lsp",)
    assert "pyrefly" == machine.found().backend.name


def test_what_is_odd_about_the_settings(machine: Machine) -> None:
    """Each with what to do."""
    machine.settings |= {
        "lsp.cold": ("none", "basedpyrigth"),
        "lsp.warm": ("pyrefly", "ty"),
        "lsp.commands": ("pylanse=x", "ty=", "nothing at all", "ty='", "gopls=gopls"),
    }
    machine.sources["lsp.warm"] = "_ctx/config.toml"
    notes = setting_notes(machine.config)
    pyrefly = backend_named("pyrefly")
    assert pyrefly is not None
    assert [
        "lsp.cold: basedpyrigth is no server ctx knows; did you mean basedpyright?",
        f"lsp.warm: pyrefly is left out, it {pyrefly.risk}; name it in your own config.toml",
        "lsp.commands: pylanse is no server ctx knows; did you mean pylsp?",
        "lsp.commands: ty has no command line that can be read; write ty=PROGRAM [ARGUMENT …]",
        "lsp.commands: nothing at all is no server ctx knows",
        "lsp.commands: ty has no command line that can be read; write ty=PROGRAM [ARGUMENT …]",
    ] == [note.partition("; known")[0] for note in notes]


# --- environments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".venv", "venv", "env"])
def test_the_projects_environment(machine: Machine, name: str) -> None:
    """It is used when git leaves it out: its programs, its interpreter, its name for the process."""
    place = machine.venv(machine.segment / name, "basedpyright-langserver")
    machine.repository()
    found = machine.found("src/shop/cart.py")
    assert (str(place / "bin/basedpyright-langserver"), str(machine.segment)) == (found.command[0], found.root)
    assert (str(place / "bin/python"), str(place)) == (found.interpreter, found.venv)
    assert {"VIRTUAL_ENV": str(place), "PYTHONSAFEPATH": "1"} == found.environment
    assert str(place / "bin/python") == found.backend.settings(found.interpreter)["python"]["pythonPath"]


def test_two_packages_with_environments_of_their_own(machine: Machine) -> None:
    """Each is a root with a server of its own; what lies beside them belongs to the segment."""
    machine.on_path("ty", "python3")
    for name in ("one", "two"):
        machine.venv(machine.segment / "services" / name / ".venv")
    machine.repository()
    files = ["services/one/src/a.py", "services/two/b.py", "services/c.py", "services/one/d.py"]
    choices = machine.choices(*(("python", path) for path in files), ("text", "README"))
    assert [
        (str(machine.segment), str(machine.home / "bin/python3")),
        (str(machine.segment / "services/one"), str(machine.segment / "services/one/.venv/bin/python")),
        (str(machine.segment / "services/two"), str(machine.segment / "services/two/.venv/bin/python")),
    ] == [(choice.root, choice.cold.interpreter) for choice in choices if choice.cold is not None]


def test_jedi_is_given_the_interpreter_with_its_options(machine: Machine) -> None:
    """The row of the table comes back with what this machine needs."""
    machine.on_path("jedi-language-server", "pylsp")
    place = machine.venv(machine.segment / ".venv")
    machine.repository()
    machine.settings |= {"lsp.cold": ("jedi-language-server",), "lsp.warm": ("pylsp",)}
    jedi = machine.found().backend.initialization_options
    pylsp = machine.found(is_host=True).backend.initialization_options
    assert {"environmentPath": str(place / "bin/python")} == jedi["workspace"]
    assert {"environment": str(place / "bin/python")} == pylsp["pylsp"]["plugins"]["jedi"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("no settings", "is no usable environment: it has no pyvenv.cfg"),
        ("no python", "is broken: it has no python that can be run; make it anew"),
        ("dangling python", "is broken: it has no python that can be run; make it anew"),
        ("no home", "is broken: the Python it was made from is gone (home in pyvenv.cfg); make it anew"),
        ("home gone", "is broken: the Python it was made from is gone (home in pyvenv.cfg); make it anew"),
        ("settings are a pipe", "is no usable environment: it has no pyvenv.cfg"),
    ],
)
def test_broken_environments_are_passed_over(machine: Machine, damage: str, said: str) -> None:
    """The next one up is used, and doctor is told."""
    machine.on_path("ty")
    machine.venv(machine.segment / ".venv")
    broken = machine.venv(machine.segment / "sub/.venv")
    machine.repository()
    match damage:
        case "no settings":
            (broken / "pyvenv.cfg").unlink()
        case "no python":
            (broken / "bin/python").unlink()
        case "dangling python":
            (broken / "bin/python").unlink()
            (broken / "bin/python").symlink_to("/nowhere/python3")
        case "no home":
            (broken / "pyvenv.cfg").write_text("version = 3.11\n")
        case "home gone":
            (broken / "pyvenv.cfg").write_text("home = /nowhere/bin\n")
        case _:
            (broken / "pyvenv.cfg").unlink()
            os.mkfifo(broken / "pyvenv.cfg")
    found = machine.found("sub/a.py")
    # Without `pyvenv.cfg` and `bin/python` a folder is none at all.
    assert (str(machine.segment), (f"sub/.venv {said}",)) == (found.root, found.notes)
    assert (f"sub/.venv {said}",) == machine.choices(("python", "sub/a.py"))[0].notes


def test_an_activated_environment_is_trusted_anywhere(machine: Machine) -> None:
    """Outside of the segment it serves all of it; the nearest one of a folder comes first."""
    activated = machine.venv(machine.home / "envs/shop", "ty")
    machine.environ["VIRTUAL_ENV"] = str(activated)
    machine.environ["PATH"] = str(activated / "bin")
    found = machine.found("sub/a.py")
    assert ("venv", str(activated), str(machine.segment)) == (found.source, found.venv, found.root)
    assert {"VIRTUAL_ENV": str(activated)} == found.environment
    nearest = machine.venv(machine.segment / "sub/.venv")
    machine.repository()
    found = machine.found("sub/a.py")
    assert ("path", str(nearest), str(machine.segment / "sub")) == (
        found.source,
        found.venv,
        found.root,
    )


def test_a_broken_activated_environment_is_told(machine: Machine) -> None:
    """It is as if there were none."""
    folder = machine.on_path("ty", "python3")
    machine.environ["VIRTUAL_ENV"] = str(machine.home / "gone")
    found = machine.found()
    assert (str(folder / "python3"), "") == (found.interpreter, found.venv)
    assert ("VIRTUAL_ENV is no usable environment: it has no pyvenv.cfg",) == found.notes


def test_scripts_in_place_of_python_are_passed_over(machine: Machine) -> None:
    """What a version manager puts there starts whatever a file of the repository selects."""
    machine.program(machine.on_path("ty", folder="shims") / "python3", "#!/bin/sh\n")
    assert sys.executable == machine.found().interpreter
    real = machine.on_path("python3", folder="real")
    assert str(real / "python3") == machine.found().interpreter


# --- trust -----------------------------------------------------------------------------------------------------------


def _is_used(machine: Machine, folder: str = ".venv") -> bool:
    found = machine.found()
    is_used = found.venv == str(machine.segment / folder)
    assert is_used == (found.interpreter == str(machine.segment / folder / "bin/python"))
    assert is_used != (f"{folder} {UNTRUSTED}" in found.notes)
    return is_used


def test_without_git_nothing_in_the_segment_is_trusted(machine: Machine) -> None:
    """An archive may hold an environment, and programs in it."""
    machine.on_path("pylsp")
    machine.venv(machine.segment / ".venv", "ty")
    assert not _is_used(machine)
    assert "pylsp" == machine.found().backend.name


def test_a_fresh_repository_says_nothing(machine: Machine) -> None:
    """`git init` in an unpacked archive leaves everything out, and made none of it."""
    machine.on_path("ty")
    machine.venv(machine.segment / ".venv")
    GitRepository(machine.segment)
    assert not _is_used(machine)


@pytest.mark.parametrize("version", [2, 4])
def test_what_git_tracks_is_not_trusted(machine: Machine, version: int) -> None:
    """One tracked file in it is enough; when it is tracked no longer, it is."""
    machine.on_path("ty")
    machine.venv(machine.segment / ".venv")
    repository = machine.repository(".venv/pyvenv.cfg")
    repository.git("update-index", f"--index-version={version}")
    assert not _is_used(machine)
    repository.git("rm", "--cached", "--quiet", ".venv/pyvenv.cfg")
    assert _is_used(machine)


def test_a_tracked_environment_that_is_activated(machine: Machine) -> None:
    """Whoever activates it has run its programs already."""
    machine.on_path("ty")
    place = machine.venv(machine.segment / ".venv")
    machine.repository(".venv")
    machine.environ["VIRTUAL_ENV"] = str(place)
    assert _is_used(machine)


def test_the_environment_ctx_runs_from(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs already."""
    machine.on_path("ty")
    place = machine.venv(machine.segment / ".venv")
    monkeypatch.setattr(sys, "executable", str(place / "bin/python"))
    assert _is_used(machine)


def test_in_a_linked_worktree(machine: Machine) -> None:
    """Its own index is asked."""
    repository = GitRepository(machine.home / "main")
    repository.commit("first", {"main.py": ""})
    machine.segment.rmdir()
    repository.git("worktree", "add", "--quiet", "--detach", str(machine.segment))
    machine.on_path("ty")
    machine.venv(machine.segment / ".venv")
    assert _is_used(machine)
    GitRepository.git(_at(repository, machine.segment), "add", "--force", ".venv/pyvenv.cfg")
    assert not _is_used(machine)


def test_in_a_folder_of_a_repository(machine: Machine) -> None:
    """The segment may be a part of the work tree."""
    repository = GitRepository(machine.segment.parent)
    repository.write({"shop/main.py": ""})
    repository.git("add", "shop/main.py")
    machine.on_path("ty")
    machine.venv(machine.segment / ".venv")
    assert _is_used(machine)
    repository.git("add", "--force", "shop/.venv")
    assert not _is_used(machine)


@pytest.mark.parametrize("is_tracked", [False, True])
def test_a_link_to_an_environment(machine: Machine, is_tracked: bool) -> None:
    """Of one that the user made both ends count; one that is tracked is the repository's."""
    machine.on_path("ty")
    machine.venv(machine.segment / "tools/python")
    (machine.segment / ".venv").symlink_to("tools/python")
    repository = machine.repository()
    assert _is_used(machine)
    repository.git("add", "--force", "tools/python" if is_tracked else ".venv")
    assert not _is_used(machine)


# --- roots -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "expected"),
    [((), ""), (("go.mod",), ""), (("a/go.mod", "a/b/go.mod"), "a"), (("a/b/go.mod",), "a/b"), (("c/go.mod",), "")],
)
def test_the_root_is_the_outermost_that_is_marked(machine: Machine, files: tuple[str, ...], expected: str) -> None:
    """One server sees a workspace whole; without a mark it is the segment."""
    machine.on_path("gopls")
    for name in files:
        (machine.segment / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.segment / name).write_text("")
    found = machine.found("a/b/main.go", "go")
    assert (str(machine.segment / expected), "", "") == (found.root, found.interpreter, found.venv)


def test_what_the_user_has_set_stays(machine: Machine) -> None:
    """The variables of the table are for whoever said nothing."""
    machine.on_path("gopls")
    machine.environ["CGO_ENABLED"] = "1"
    assert {"GOTOOLCHAIN": "local", "GOPROXY": "off"} == machine.found("main.go", "go").environment


def test_names_that_are_no_text(machine: Machine) -> None:
    """A path as ctx prints it leads to the folder whose name it spells."""
    machine.on_path("ty")
    folder = os.path.join(os.fsencode(machine.segment), b"caf\xe9")
    os.mkdir(folder)
    machine.venv(Path(os.fsdecode(folder)) / ".venv")
    machine.repository()
    assert os.fsdecode(folder) == machine.found("caf\\xe9/a.py").root


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/shop/a/b", "a/b"),
        ("/home/ann/x", "~/x"),
        ("/home/anna/x", "/home/anna/x"),
        ("/usr/bin/ty", "/usr/bin/ty"),
    ],
)
def test_paths_for_people(path: str, expected: str) -> None:
    """Relative in the segment, with a tilde in the home."""
    assert expected == shown_path(path, "/srv/shop", {"HOME": "/home/ann"})


def _from(machine: Machine) -> tuple[tuple[str, ...], str]:
    found = machine.found()
    return found.command, found.source


def _at(repository: GitRepository, folder: Path) -> GitRepository:
    """Return the repository as seen from another work tree of it."""
    seen = GitRepository.__new__(GitRepository)
    seen.__dict__.update(repository.__dict__, root=folder)
    return seen
