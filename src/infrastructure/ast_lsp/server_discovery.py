"""Which language server answers for a file: what is configured, what is installed, which environment it is to use.

Owns the search for programs and for Python environments, and whom to trust. Nothing is started and little is read: a
command that has 500 ms for an answer asks this first. The servers themselves stand in `domain.server_backends`.

A repository must never get a program of its own run. Its folders are not searched, with one exception: a Python
environment that was surely made by the user, because it is activated, ctx runs from it, or git leaves it out.
"""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ...domain.server_backends import BACKENDS, Backend, backend_named, backends_of
from ...domain.source_files import os_path_of
from ..regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..config import Config

Source: TypeAlias = Literal["configured", "venv", "path", "ctx"]
SOURCE_WORDS: dict[Source, str] = {
    "configured": "lsp.commands",
    "venv": "the project's environment",
    "path": "PATH",
    "ctx": "ctx's own environment",
}

ENVIRONMENT_FOLDERS = (".venv", "venv", "env")
SEGMENT_FILE = "_ctx/config.toml"
"""The settings that come with a repository: they may choose among what is safe."""
_CONFIG_BYTES_MAX = 1 << 16
_PYTHONS = ("python", "python3")


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that can be started: by `command`, in `root`, with `environment` added to the process's own.

    `backend` has the options that this machine needs filled in. `interpreter` and `venv` are "" for languages other
    than Python, `venv` also when no environment was found. `notes` are for people: what was passed over, and why.
    """

    backend: Backend
    command: tuple[str, ...]
    source: Source
    root: str
    interpreter: str
    venv: str
    environment: dict[str, str]
    notes: tuple[str, ...] = ()


class ServerChoice(NamedTuple):
    """What is asked about the files of one language below one root: by a command, and by a host."""

    language: str
    root: str
    cold: FoundServer | None
    warm: FoundServer | None
    notes: tuple[str, ...] = ()


_Program: TypeAlias = tuple[tuple[str, ...], Source]
"""A command line and where it is from."""


class _Environment(NamedTuple):
    """A usable Python environment, `folder` without links in what leads to it; "" is none."""

    folder: str = ""
    interpreter: str = ""
    root: str = ""


def all_servers(
    segment: str, config: Config, environ: Mapping[str, str], files: Iterable[tuple[str, str]]
) -> list[ServerChoice]:
    """Return what is asked for the given (language, path) files: one row for each language and root, in their order."""
    discovery = ServerDiscovery(segment, config, environ)
    folders = dict.fromkeys((language, path.rpartition("/")[0]) for language, path in files)
    choices: dict[tuple[str, str], ServerChoice] = {}
    for language, folder in folders:
        if not backends_of(language):
            continue
        choice = discovery.choice_for(language, f"{folder}/_" if folder else "_")
        choices.setdefault((language, choice.root), choice)
    return sorted(choices.values(), key=lambda choice: (choice.language, choice.root))


def setting_notes(config: Config) -> list[str]:
    """Return what is odd about `lsp.cold`, `lsp.warm` and `lsp.commands`, for people."""
    notes = []
    for name in ("lsp.cold", "lsp.warm"):
        for word in config.items(name):
            backend = backend_named(word)
            if backend is None and word != "none":
                notes.append(f"{name}: {word} is no server ctx knows; {_nearest(word)}")
            elif backend is not None and backend.risk and config.sources.get(name) == SEGMENT_FILE:
                notes.append(f"{name}: {word} is left out, it {backend.risk}; name it in your own config.toml")
    for text in config.items("lsp.commands"):
        word = text.partition("=")[0].strip()
        if backend_named(word) is None:
            notes.append(f"lsp.commands: {word} is no server ctx knows; {_nearest(word)}")
        elif not _words(text.partition("=")[2]):
            notes.append(
                f"lsp.commands: {word} has no command line that can be read; write {word}=PROGRAM [ARGUMENT …]"
            )
    return notes


class ServerDiscovery:
    """The search in one segment; remembers what it found, so one object serves one look at the machine."""

    def __init__(self, segment: str, config: Config, environ: Mapping[str, str]) -> None:
        """Look at nothing yet."""
        self._segment = os.path.realpath(segment)
        self._config = config
        self._environ = environ
        self._own_folder = os.path.dirname(sys.executable)
        self._environments: dict[str, tuple[_Environment, tuple[str, ...]]] = {}

    def server_for(self, language: str, path: str, *, is_host: bool) -> FoundServer | None:
        """Return the server for a file in a role, None when there is none or the role is off."""
        folder = self._folder_of(path)
        environment, notes = self._environment_of(folder)
        for backend in self._backends(language, is_host=is_host):
            program = self._program(backend, environment)
            if program is not None:
                return self._filled_in(backend, program, folder, environment, notes)
        return None

    def choice_for(self, language: str, path: str) -> ServerChoice:
        """Return both roles' servers for a file, and what was passed over on the way."""
        folder = self._folder_of(path)
        environment, notes = self._environment_of(folder)
        cold = self.server_for(language, path, is_host=False)
        warm = self.server_for(language, path, is_host=True)
        root = next((found.root for found in (cold, warm) if found is not None), "")
        if not root:
            root = environment.root if language == "python" and environment.root else self._segment
        said = [*(notes if language == "python" else ())]
        for backend in backends_of(language):
            if self._program(backend, environment) is None:
                said += self._refusals(backend)
        return ServerChoice(language, root, cold, warm, tuple(dict.fromkeys(said)))

    def _folder_of(self, path: str) -> str:
        return os.path.join(self._segment, os.path.dirname(os.fsdecode(os_path_of(path)))).rstrip("/") or "/"

    # ------------------------------------------------------------------ which

    def _backends(self, language: str, *, is_host: bool) -> list[Backend]:
        """Return those that may be asked, the first choice first."""
        setting = "lsp.warm" if is_host else "lsp.cold"
        named = self._config.items(setting)
        if not self._config.flag("lsp.enabled") or "none" in named:
            return []
        known = backends_of(language)
        commands = self._commands()
        by_segment = self._config.sources.get(setting) == SEGMENT_FILE
        chosen = [backend for name in named for backend in known if backend.name == name]
        allowed = [backend for backend in chosen if not backend.risk or not by_segment or backend.name in commands]
        if allowed:
            return allowed
        usual = [
            backend
            for backend in known
            if backend.name in commands or (backend.rank(is_host=is_host) is not None and not backend.risk)
        ]
        return sorted(usual, key=lambda backend: (backend.rank(is_host=is_host) is None, backend.rank(is_host=is_host)))

    def _commands(self) -> dict[str, str]:
        pairs = (text.partition("=") for text in self._config.items("lsp.commands"))
        return {name.strip(): line for name, _, line in pairs}

    # ------------------------------------------------------------------ where from

    def _program(self, backend: Backend, environment: _Environment) -> _Program | None:
        """Return the command line of a server, None when it is not installed."""
        line = self._commands().get(backend.name)
        if line is not None:
            command = self._configured(backend, line)
            return (command, "configured") if command is not None else None
        places: list[tuple[str, Source]] = []
        if environment.folder:
            places.append((os.path.join(environment.folder, "bin"), "venv"))
        places += [(folder, "path") for folder in self._path_folders(environment)]
        places.append((self._own_folder, "ctx"))
        for folder, source in places:
            for program, *arguments in backend.programs:
                file = os.path.join(folder, program)
                if _is_program(file) and not _refusal(backend, file):
                    return (file, *arguments), source
        return None

    def _refusals(self, backend: Backend) -> list[str]:
        """Return why programs of its name on PATH are not taken, or the command that is configured for it."""
        line = self._commands().get(backend.name)
        if line is not None:
            words = _words(line)
            return [f"lsp.commands: {backend.name}: {words[0]} is no program"] if words else []
        files = (
            os.path.join(folder, program) for folder in self._path_folders(_NONE) for program, *_ in backend.programs
        )
        return [
            f"{self._shown(file)}: {why}" for file in files if _is_program(file) and (why := _refusal(backend, file))
        ]

    def _configured(self, backend: Backend, line: str) -> tuple[str, ...] | None:
        words = _words(line)
        if not words:
            return None
        program = os.path.expanduser(words[0])
        if "/" not in program:
            found = (os.path.join(folder, program) for folder in self._path_folders(_NONE))
            program = next((file for file in found if _is_program(file)), "")
        if not os.path.isabs(program) or not _is_program(program):
            return None
        return (program, *(words[1:] or backend.programs[0][1:]))

    def _path_folders(self, environment: _Environment) -> Iterator[str]:
        """Yield the folders of PATH that the repository has no say in.

        Relative ones mean something else in every folder; those inside the segment hold its own programs
        (`node_modules/.bin`), an environment that is trusted excepted.
        """
        trusted = {os.path.join(environment.folder, "bin")} if environment.folder else set()
        return (folder for folder, is_outside in self._path if is_outside or folder in trusted)

    @cached_property
    def _path(self) -> list[tuple[str, bool]]:
        return [(folder, self._is_outside(folder)) for folder in self._environ.get("PATH", "").split(os.pathsep)]

    def _is_outside(self, folder: str) -> bool:
        """Return whether a folder is absolute and no part of the repository."""
        if not os.path.isabs(folder):
            return False
        real = os.path.realpath(folder)
        return self._holds_home or not _is_within(real, self._segment) or real == os.path.realpath(self._own_folder)

    @cached_property
    def _holds_home(self) -> bool:
        """Whether the segment is the user's home, or more: then what lies in it is the user's own."""
        return _is_within(os.path.realpath(self._environ.get("HOME") or "/"), self._segment)

    # ------------------------------------------------------------------ environments

    def _environment_of(self, folder: str) -> tuple[_Environment, tuple[str, ...]]:
        """Return the Python environment for a folder and what was passed over, the nearest first."""
        known = self._environments.get(folder)
        if known is None:
            known = self._environments[folder] = self._look_in(folder)
        return known

    def _look_in(self, folder: str) -> tuple[_Environment, tuple[str, ...]]:
        notes: list[str] = []
        for name in ENVIRONMENT_FOLDERS:
            place = os.path.join(folder, name)
            if not os.path.lexists(os.path.join(place, "pyvenv.cfg")) and not os.path.lexists(
                os.path.join(place, "bin", "python")
            ):
                continue
            interpreter, why = _interpreter_in(place)
            if not why and not self._is_trusted(place):
                why = "is not used: git does not leave it out, so it may have come with the repository; activate it"
            if not why:
                return _Environment(place, interpreter, folder), tuple(notes)
            notes.append(f"{self._shown(place)} {why}")
        if folder != self._segment and _is_within(folder, self._segment):
            environment, more = self._environment_of(os.path.dirname(folder))
            return environment, (*notes, *more)
        activated = self._environ.get("VIRTUAL_ENV", "")
        if os.path.isabs(activated):
            interpreter, why = _interpreter_in(activated)
            if not why:
                return _Environment(activated.rstrip("/") or "/", interpreter, self._segment), tuple(notes)
            notes.append(f"VIRTUAL_ENV {why}")
        return _NONE, tuple(notes)

    def _is_trusted(self, place: str) -> bool:
        """Return whether an environment inside the segment was surely made by the user."""
        real = os.path.realpath(place)
        for own in (self._environ.get("VIRTUAL_ENV", ""), os.path.dirname(self._own_folder)):
            if os.path.isabs(own) and os.path.realpath(own) == real:
                return True
        if os.path.realpath(os.path.dirname(place)) != os.path.dirname(place):
            return False
        from ..git_index import is_surely_untracked

        # Of a link both ends: a tracked folder is no less the repository's for being pointed to.
        return is_surely_untracked(place) and (
            real == place or not _is_within(real, self._segment) or is_surely_untracked(real)
        )

    # ------------------------------------------------------------------ the result

    def _filled_in(
        self,
        backend: Backend,
        program: _Program,
        folder: str,
        environment: _Environment,
        notes: tuple[str, ...],
    ) -> FoundServer:
        command, source = program
        is_python = "python" in backend.languages
        interpreter = (environment.interpreter or self._usual_interpreter()) if is_python else ""
        options = _merged(dict(backend.initialization_options), backend.interpreter_options(interpreter))
        if backend.needs_tsserver:
            options = _merged(options, {"tsserver": {"path": _tsserver_of(command[0])}})
        root = self._root(backend, folder)
        if is_python:
            root = environment.root or self._segment
        return FoundServer(
            replace(backend, initialization_options=options),
            command,
            source,
            root,
            interpreter,
            environment.folder if is_python else "",
            self._additions(backend, environment if is_python else _NONE),
            notes,
        )

    def _root(self, backend: Backend, folder: str) -> str:
        root = self._segment
        while backend.root_markers and _is_within(folder, self._segment):
            if any(os.path.isfile(os.path.join(folder, marker)) for marker in backend.root_markers):
                root = folder
            folder = os.path.dirname(folder)
        return root

    def _usual_interpreter(self) -> str:
        """Return the Python that stands for no environment at all: a server left without one looks for its own.

        Scripts are passed over: a version manager's stand-in starts what a file of the repository (`.python-version`)
        selects, and takes its time.
        """
        found = (os.path.join(folder, "python3") for folder in self._path_folders(_NONE))
        return next((file for file in found if _is_program(file) and not _is_script(file)), sys.executable)

    def _additions(self, backend: Backend, environment: _Environment) -> dict[str, str]:
        added = {name: value for name, value in backend.environment.items() if name not in self._environ}
        if environment.folder:
            added["VIRTUAL_ENV"] = environment.folder
        # The server runs in another folder than the caller, and may itself look for programs and modules there.
        path = self._environ.get("PATH", "")
        kept = os.pathsep.join(self._path_folders(environment))
        if kept != path:
            added["PATH"] = kept
        modules = self._environ.get("PYTHONPATH", "")
        kept = os.pathsep.join(part for part in modules.split(os.pathsep) if self._is_outside(part))
        if kept != modules:
            added["PYTHONPATH"] = kept
        return added

    def _shown(self, path: str) -> str:
        return shown_path(path, self._segment, self._environ)


def shown_path(path: str, segment: str, environ: Mapping[str, str]) -> str:
    """Return a path for people: relative inside the segment, with `~` inside the home directory."""
    if _is_within(path, segment):
        return os.path.relpath(path, segment)
    home = environ.get("HOME", "")
    return f"~/{os.path.relpath(path, home)}" if len(home) > 1 and _is_within(path, home) else path


_NONE = _Environment()


def _interpreter_in(place: str) -> tuple[str, str]:
    """Return the interpreter of an environment, or "" and what is wrong with it."""
    text = _read_small(os.path.join(place, "pyvenv.cfg")).decode("utf-8", "replace")
    if not text:
        return "", "is no usable environment: it has no pyvenv.cfg"
    pairs = (line.partition("=") for line in text.splitlines())
    home = next((value.strip() for key, _, value in pairs if key.strip().lower() == "home"), "")
    if not os.path.isabs(home) or not os.path.isdir(home):
        return "", "is broken: the Python it was made from is gone (home in pyvenv.cfg); make it anew"
    for name in _PYTHONS:
        interpreter = os.path.join(place, "bin", name)
        if _is_program(interpreter):
            return interpreter, ""
    return "", "is broken: it has no python that can be run; make it anew"


def _read_small(path: str) -> bytes:
    """Return a small file's content, b"" when there is no regular file."""
    try:
        descriptor = open_regular(path, os.O_RDONLY)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        return file.read(_CONFIG_BYTES_MAX)


def _is_program(path: str) -> bool:
    """Return whether a path leads to a regular file that we may execute."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)
    except (OSError, ValueError):
        return False


def _is_script(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return True


def _refusal(backend: Backend, file: str) -> str:
    """Return why a program is not the one that its name says, "" when it is."""
    if backend.npm is not None:
        name, version = _npm_package(file)
        major = int(version.partition(".")[0]) if version.partition(".")[0].isdecimal() else -1
        is_preview = name == "@typescript/native-preview"
        if not is_preview and (name != backend.npm.name or major < backend.npm.major_min):
            return f"is not {backend.npm.name} {backend.npm.major_min} or later" + (
                f" but {version}" if version else ""
            )
    if backend.needs_tsserver and not _tsserver_of(file):
        return "has no TypeScript of its own beside it (npm install --global typescript@5)"
    # A stand-in of rustup's starts whichever toolchain a file of the repository names.
    rustup = os.path.join(os.path.dirname(file), "rustup")
    if os.path.basename(file) == "rust-analyzer" and os.path.exists(rustup) and os.path.samefile(file, rustup):
        return "is rustup's stand-in; give the real one (`rustup which rust-analyzer`) in lsp.commands"
    return ""


def _npm_package(file: str) -> tuple[str, str]:
    """Return (name, version) of the npm package that a program lies in, "" and "" when it lies in none."""
    folder = os.path.dirname(os.path.realpath(file))
    for _ in range(3):
        raw = _read_small(os.path.join(folder, "package.json"))
        if raw:
            import json

            try:
                document = json.loads(raw)
            except ValueError:
                return "", ""
            return (str(document.get("name")), str(document.get("version"))) if isinstance(document, dict) else ("", "")
        folder = os.path.dirname(folder)
    return "", ""


def _tsserver_of(program: str) -> str:
    """Return the tsserver of the TypeScript installed beside typescript-language-server, "" when there is none."""
    folder = os.path.dirname(os.path.realpath(program))
    while True:
        folder, last = os.path.split(folder)
        if last == "node_modules":
            file = os.path.join(folder, last, "typescript/lib/tsserver.js")
            return file if os.path.isfile(file) else ""
        if not last:
            return ""


def _words(line: str) -> list[str]:
    """Split a command line as a shell does; a whole line that is a program is one, spaces and all."""
    line = line.strip()
    if _is_program(os.path.expanduser(line)):
        return [line]
    import shlex

    try:
        return shlex.split(line)
    except ValueError:
        return []


def _merged(one: dict[str, object], other: Mapping[str, object]) -> dict[str, object]:
    """Return two nested objects as one; the second wins."""
    merged = dict(one)
    for key, value in other.items():
        before = merged.get(key)
        merged[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _nearest(word: str) -> str:
    import difflib

    names = [backend.name for backend in BACKENDS]
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(names))}"
