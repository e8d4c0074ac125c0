"""Check `ctx mcp` with the MCP inspector's command line; run by `make test-all`.

The inspector wants a newer Node.js than most systems have, so one comes with it from the npm registry, into .cache;
nothing outside of it is touched, and no package's own scripts run. Without npm the check is left out, and that is said.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "mcp-inspector"
INSPECTOR, INSPECTOR_VERSION = "@modelcontextprotocol/inspector", "2.12.0"
NODE_VERSION = "22.23.3"
SECONDS_MAX = 120
CHECKS = (
    ("--method", "tools/list", "--strict"),
    ("--method", "tools/call", "--tool-name", "ctx_search", "--tool-arg", "query=greet"),
    ("--method", "tools/call", "--tool-name", "ctx_get", "--tool-arg", "id=hello.py"),
    ("--method", "resources/list"),
    ("--method", "resources/templates/list"),
    ("--method", "resources/read", "--uri", "ctx://skeleton/hello.py"),
)


def main() -> int:
    """Install what is missing and run every check; the exit code is 1 when one fails."""
    npm = shutil.which("npm")
    if npm is None:
        print("npm was not found: the MCP inspector's check is left out")
        return 0
    node = f"node-{platform.system().lower()}-{'arm64' if platform.machine() in {'arm64', 'aarch64'} else 'x64'}"
    modules = install(npm, {INSPECTOR: INSPECTOR_VERSION, node: NODE_VERSION})
    inspector = modules / INSPECTOR / "clients" / "launcher" / "build" / "index.js"
    command = [str(modules / node / "bin" / "node"), str(inspector), "--cli", sys.executable, "-m", "ctx", "mcp"]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="ctx-inspector-") as folder:
        Path(folder, "hello.py").write_text('def greet(name):\n    """Greet somebody."""\n    return f"hello {name}"\n')
        Path(folder, ".git").mkdir()
        # The inspector keeps a list of servers in the home directory; the user's own is not its business here.
        environment = os.environ | {"HOME": folder, "CTX_DAEMON": "off"}
        for check in CHECKS:
            run = subprocess.run(
                [*command, *check],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=SECONDS_MAX,
                check=False,
            )
            is_error = run.returncode != 0 or json.loads(run.stdout).get("isError", False)
            failed += is_error
            print(f"{'FAIL' if is_error else 'ok  '} {' '.join(check)}")
            if run.stderr.strip():
                print(run.stderr.strip())
    return 1 if failed else 0


def install(npm: str, packages: dict[str, str]) -> Path:
    """Return the folder that holds just these versions."""
    mark = CACHE / "installed.json"
    if not mark.is_file() or json.loads(mark.read_text("utf-8")) != packages:
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        wanted = [f"{name}@{version}" for name, version in packages.items()]
        quiet = ("--no-fund", "--no-audit", "--ignore-scripts", "--loglevel=error")
        subprocess.run([npm, "install", "--prefix", str(CACHE), *quiet, *wanted], check=True)
        mark.write_text(json.dumps(packages), "utf-8")
    return CACHE / "node_modules"


if __name__ == "__main__":
    sys.exit(main())
