"""Real editors that a test drives step by step: Neovim over its own RPC, Emacs over emacsclient.

Both are started headless with an init file as a user's (tests/fixtures/editors) and the configuration of `editors/`.
Each step is one function of that init file, named by its first word, and returns what the editor then shows.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.integration.conftest import Sandbox

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
STEP_LIMIT_S = 120.0
START_LIMIT_S = 120.0
COMMAND = (sys.executable, "-m", "ctx", "lsp")


class EditorError(AssertionError):
    """A step that the editor did not do."""


class Editor:
    """One running editor; `close` ends it as a person would, `kill` as a crash does."""

    program = ""
    plugin = ""

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        command: Sequence[str] = COMMAND,
        features: Mapping[str, bool] | None = None,
        environment: Mapping[str, str] | None = None,
        socket_folder: Path | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._socket = str((socket_folder or sandbox.runtime) / f"{self.program}.socket")
        given = {
            "plugin": str(REPOSITORY / "editors" / self.plugin),
            "cmd": list(command),
            "features": dict(features or {"hover": True}),
            "root": str(sandbox.segment),
        }
        self._environment = sandbox.environment(
            {"CTX_TEST_EDITOR": json.dumps(given), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"} | dict(environment or {})
        )
        self.process = subprocess.Popen(
            self._start_line(),
            cwd=sandbox.segment,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._await_socket()

    @classmethod
    def missing(cls) -> str:
        """Return what of this editor is not installed, "" when it can be used."""
        return "" if shutil.which(cls.program) else f"{cls.program} is not installed"

    def step(self, name: str, *arguments: str) -> Any:
        """Have the editor do one step and return what it then shows."""
        line = self._step_line(name, arguments)
        done = subprocess.run(line, env=self._environment, capture_output=True, timeout=STEP_LIMIT_S)
        if done.returncode:
            raise EditorError(f"{self.program} {name}: {done.stdout.decode()}{done.stderr.decode()}")
        told = self._decoded((done.stdout or done.stderr).decode())
        if not told["ok"]:
            raise EditorError(f"{self.program} {name}: {told['answer']}")
        return told["answer"]

    def open(self, path: str) -> dict[str, Any]:
        """Open a file of the segment and wait until the server says READY: before, answers may be partial."""
        self.step("open", str(self._sandbox.segment / path))
        found: dict[str, Any] = self.step("connected")
        self.step("status", "READY")
        return found

    def close(self) -> int:
        """Quit without saving and return the exit code."""
        subprocess.run(self._quit_line(), env=self._environment, capture_output=True, timeout=STEP_LIMIT_S)
        try:
            self.process.communicate(timeout=STEP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        return self.process.returncode

    def kill(self) -> None:
        """End the editor with SIGKILL: it can tell nobody."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def end(self) -> None:
        """End it whatever state it is in."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()

    def _await_socket(self) -> None:
        limit = time.monotonic() + START_LIMIT_S
        while not self._listens():
            if self.process.poll() is not None:
                raise EditorError(f"{self.program} ended: {self.process.communicate()[1].decode()}")
            if time.monotonic() > limit:
                self.end()
                raise EditorError(f"{self.program} did not listen")
            time.sleep(0.005)

    def _listens(self) -> bool:
        """Tell whether it takes connections: the socket's file is there before it does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(self._socket) == 0

    def _start_line(self) -> list[str]:
        raise NotImplementedError

    def _step_line(self, name: str, arguments: Sequence[str]) -> list[str]:
        raise NotImplementedError

    def _quit_line(self) -> list[str]:
        raise NotImplementedError

    def _decoded(self, printed: str) -> dict[str, Any]:
        raise NotImplementedError


class Neovim(Editor):
    """Neovim, 0.7 or later, with the plugin of `editors/neovim`."""

    program = "nvim"
    plugin = "neovim"

    def _start_line(self) -> list[str]:
        init = str(HERE / "fixtures" / "editors" / "init.lua")
        return ["nvim", "--headless", "-i", "NONE", "-n", "-u", init, "--listen", self._socket]

    def _step_line(self, name: str, arguments: Sequence[str]) -> list[str]:
        quoted = json.dumps(json.dumps([self._answer_file, name, list(arguments)]))
        expression = f"luaeval('Driver.answer(unpack(vim.fn.json_decode(_A)))', {quoted})"
        return ["nvim", "--server", self._socket, "--remote-expr", expression]

    def _quit_line(self) -> list[str]:
        return ["nvim", "--server", self._socket, "--remote-send", "<C-\\><C-n>:qall!<CR>"]

    @property
    def _answer_file(self) -> str:
        return self._socket + ".answer"

    def _decoded(self, printed: str) -> dict[str, Any]:
        try:
            with open(self._answer_file, encoding="utf-8") as file:
                found: dict[str, Any] = json.load(file)
        except FileNotFoundError:
            raise EditorError(f"nvim says {printed}") from None
        os.unlink(self._answer_file)
        return found


class Emacs(Editor):
    """Emacs with eglot and the package of `editors/emacs`."""

    program = "emacs"
    plugin = "emacs"

    @classmethod
    def missing(cls) -> str:
        """Return what of Emacs, emacsclient and eglot is not installed."""
        if absent := [one for one in ("emacs", "emacsclient") if not shutil.which(one)]:
            return f"{' and '.join(absent)} not installed"
        line = ["emacs", "-q", "--batch", "-f", "package-activate-all", "--eval", "(require 'eglot)"]
        done = subprocess.run(line, capture_output=True, timeout=START_LIMIT_S)
        return "" if done.returncode == 0 else "eglot is not installed (Debian: elpa-eglot)"

    def _start_line(self) -> list[str]:
        init = str(HERE / "fixtures" / "editors" / "init.el")
        return ["emacs", "-q", "--no-site-file", "-l", init, f"--fg-daemon={self._socket}"]

    def _step_line(self, name: str, arguments: Sequence[str]) -> list[str]:
        call = base64.b64encode(json.dumps([name, list(arguments)]).encode()).decode()
        return ["emacsclient", "-s", self._socket, "-e", f'(driver-answered "{call}")']

    def _quit_line(self) -> list[str]:
        unmodified = "(dolist (one (buffer-list)) (with-current-buffer one (set-buffer-modified-p nil)))"
        quits = f"(let (kill-emacs-query-functions) {unmodified} (kill-emacs))"
        return ["emacsclient", "-s", self._socket, "-e", quits]

    def _decoded(self, printed: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(base64.b64decode(printed.strip().strip('"')))
        return found


EDITORS: tuple[type[Editor], ...] = (Neovim, Emacs)
