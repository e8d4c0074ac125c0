"""The extension in a real VS Code: code-server, driven by a headless Chromium; run by `make test-vscode`.

Needs Node 20 with its headers, npm, a C++ compiler, make, and Chromium (Debian: chromium, g++, make). code-server and
the browser's driver come from the npm registry into .cache/vscode, once; nothing outside of it is touched. Prints what
was seen step by step and leaves screenshots in .cache/vscode/shots.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.integration.conftest import REPOSITORY  # noqa: E402 - found only now

CACHE = ROOT / ".cache" / "vscode"
EXTENSION = ROOT / "editors" / "vscode"
CODE_SERVER, DRIVER = "code-server@4.99.3", "playwright-core@1.55.0"
NODE_MAJOR = "20"
# What code-server cannot run without, compiled here. The rest of its native packages is loaded when it is used.
NATIVE = ("node-pty", "@parcel/watcher", "@vscode/spdlog", "native-watchdog")
NPM = ("npm", "--no-fund", "--no-audit", "--loglevel=error")
READY_LIMIT_S = 60.0
DRIVE_LIMIT_S = 600.0


def main() -> int:
    """Install what is missing, drive the editor, say what was seen; the exit code is 0 when all of it was right."""
    chromium = needed()
    if not (CACHE / "installed").exists():
        install()
    problems = []
    with tempfile.TemporaryDirectory(prefix="ctx-vscode-") as folder, code_server(Path(folder)) as (url, segment):
        seen, problem = drive(url, segment, chromium, Path(folder))
        problems = judge(seen) + ([problem] if problem else [])
    for line in problems:
        print(f"FAILED: {line}")
    print(f"{len(seen)} steps passed, {len(problems)} failed")
    return 1 if problems else 0


def needed() -> str:
    """Return Chromium's program; end with what is missing when something is."""
    missing = [name for name in ("node", "npm", "g++", "make") if shutil.which(name) is None]
    chromium = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
    )
    missing += [] if chromium else ["chromium"]
    if not (EXTENSION / "dist" / "ctx.vsix").exists():
        missing.append("editors/vscode/dist/ctx.vsix (make vsix)")
    if missing:
        sys.exit(f"missing: {', '.join(missing)}")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if version.lstrip("v").partition(".")[0] != NODE_MAJOR:
        sys.exit(f"{CODE_SERVER} needs Node {NODE_MAJOR}, found {version}")
    return chromium


def install() -> None:
    """Install code-server without the scripts it brings, which fetch and compile more than is needed here."""
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(parents=True)
    print(f"installing {CODE_SERVER} and {DRIVER}, and compiling {', '.join(NATIVE)} …", flush=True)
    subprocess.run([*NPM, "install", "--prefix", str(CACHE), "--ignore-scripts", CODE_SERVER, DRIVER], check=True)
    inner = code_server_folder() / "lib" / "vscode"
    modules = ["--omit=dev", "--ignore-scripts", "--legacy-peer-deps"]
    subprocess.run([*NPM, "install", *modules], cwd=inner, check=True)
    subprocess.run([*NPM, "install", *modules], cwd=inner / "extensions", check=True)
    headers = Path(os.path.realpath(shutil.which("node") or "node")).parent.parent
    # node-pty's script asks npx for node-gyp, which then asks whether it may be fetched.
    environ = os.environ | {"npm_config_nodedir": str(headers), "npm_config_yes": "true"}
    subprocess.run([*NPM, "rebuild", "argon2", "--build-from-source"], cwd=CACHE, check=True, env=environ)
    subprocess.run([*NPM, "rebuild", *NATIVE], cwd=inner, check=True, env=environ)
    # Names that its own installation would make.
    (inner / "node_modules.asar").symlink_to("node_modules")
    (inner / "bin" / "helpers" / "browser.sh").symlink_to("browser-linux.sh")
    (inner / "bin" / "remote-cli" / "code-server").symlink_to("code-server-linux.sh")
    (CACHE / "installed").touch()


def code_server_folder() -> Path:
    """Return where npm put it."""
    return CACHE / "node_modules" / "code-server"


@contextlib.contextmanager
def code_server(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run code-server with the extension on a small shop; yields its address and the shop's folder."""
    segment, data, extensions = folder / "shop", folder / "data", folder / "extensions"
    for name, text in REPOSITORY.items():
        file = segment / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    settings = data / "User" / "settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps(SETTINGS | {"ctx.command": [sys.executable, "-m", "ctx", "lsp"]}), encoding="utf-8")
    port = free_port()
    program = ["node", str(code_server_folder() / "out" / "node" / "entry.js")]
    program += ["--user-data-dir", str(data), "--extensions-dir", str(extensions), "--disable-telemetry"]
    environ = os.environ | {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_DATA_HOME": str(folder / "share"),
    }
    vsix = str(EXTENSION / "dist" / "ctx.vsix")
    subprocess.run([*program, "--install-extension", vsix], check=True, env=environ, stdout=subprocess.DEVNULL)
    options = [
        "--auth",
        "none",
        "--bind-addr",
        f"127.0.0.1:{port}",
        "--disable-update-check",
        "--disable-workspace-trust",
    ]
    log = (CACHE / "code-server.log").open("wb")
    server = subprocess.Popen([*program, *options], env=environ, stdout=log, stderr=log, start_new_session=True)
    try:
        until_it_listens(port, server)
        yield f"http://127.0.0.1:{port}", segment
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        log.close()


SETTINGS: dict[str, Any] = {
    "workbench.startupEditor": "none",
    "workbench.colorTheme": "Default Light Modern",
    "workbench.tips.enabled": False,
    "telemetry.telemetryLevel": "off",
    "security.workspace.trust.enabled": False,
    "extensions.ignoreRecommendations": True,
    "editor.minimap.enabled": False,
    "files.autoSave": "off",
}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until_it_listens(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server takes connections."""
    limit = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < limit:
        if server.poll() is not None:
            sys.exit(f"code-server ended with {server.returncode}: {CACHE / 'code-server.log'}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    sys.exit(f"code-server did not listen within {READY_LIMIT_S:.0f} s: {CACHE / 'code-server.log'}")


def drive(url: str, segment: Path, chromium: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Drive the editor; return what was seen by step, and what went wrong."""
    shots = CACHE / "shots"
    shutil.rmtree(shots, ignore_errors=True)
    shots.mkdir()
    gate, done = folder / "edited", folder / "looked"
    options = {"url": url, "folder": str(segment), "chromium": chromium, "shots": str(shots)}
    options["settings"] = str(folder / "data" / "User" / "settings.json")
    options_file = folder / "drive.json"
    options_file.write_text(json.dumps(options | {"unsaved": {"gate": str(gate), "done": str(done)}}), encoding="utf-8")
    environ = os.environ | {"NODE_PATH": str(CACHE / "node_modules")}
    line = ["node", str(EXTENSION / "check" / "drive.cjs"), str(options_file)]
    driver = subprocess.Popen(line, env=environ, stdout=subprocess.PIPE, text=True)
    seen: dict[str, Any] = {}
    problem = "the driver ended without a word"
    try:
        for told in map(json.loads, driver.stdout or ()):
            if "step" not in told:
                problem = told["problem"]
                continue
            seen[told["step"]] = told["seen"]
            print(f"{told['step']:<11} {json.dumps(told['seen'], ensure_ascii=False)[:240]}", flush=True)
            if told["step"] == "unsaved":
                seen["shell"] = shell_sees(segment)
                print(f"{'shell':<11} ctx search wrap_as_present -> {seen['shell']}", flush=True)
                done.touch()
        driver.wait(timeout=DRIVE_LIMIT_S)
    finally:
        driver.kill()
    return seen, problem


def shell_sees(segment: Path) -> list[str]:
    """Return the names a search in a shell finds for the function that only the editor has."""
    line = [sys.executable, "-m", "ctx", "search", "wrap_as_present", "--json", "--segment", str(segment)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    return [hit["qualname"] for hit in json.loads(done.stdout)["hits"]]


def judge(seen: dict[str, Any]) -> list[str]:
    """Return what is not as it should be."""
    wanted = {
        "status": "ctx READY",
        "lenses": "t",
        "outline": "add_line",
        "hover": "A cookie whose value nobody can change unnoticed.",
        "definition": "session.py Ln 7",
        "search": "shop/cart.py:12",
        "map": "7 class SignedCookie",
        "telemetry": "telemetry",
        "restart": "ctx ",
        "shell": "wrap_as_present",
        "missing": "How to Install",
        "how to install": "readme",
    }
    shown = {name: json.dumps(value) for name, value in seen.items()}
    return [
        f"{name}: {text!r} is not in {shown.get(name)}"
        for name, text in wanted.items()
        if text not in shown.get(name, "")
    ]


if __name__ == "__main__":
    sys.exit(main())
