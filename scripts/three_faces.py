"""One backend, three faces, shown: an edit that is not saved in Neovim, found from a shell, read by an agent over MCP.

Starts a real Neovim with the shipped plugin on a small shop, types a function without saving it, runs `ctx search` as
a shell does, asks `ctx mcp` with the protocol's own SDK for the text behind the id it found, and then counts: faces in
the telemetry, hosts and language servers among the processes. Prints it as a transcript; the exit code is 1 when
anything is not so. Needs Neovim, and the packages of the extras `lsp` and `dev`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.editor_drivers import Neovim  # noqa: E402 - found only now
from tests.integration.conftest import REPOSITORY, Sandbox  # noqa: E402

FUNCTION = (
    '\n\ndef wrap_as_present(article: str) -> str:\n    """Wrap it in paper with stars on it."""\n    return article'
)
NAME = "wrap_as_present"
SERVER_WORDS = "langserver|ty server"


class Shown:
    """Prints the transcript, with the shop's folder as `~/shop`, and remembers what was wrong."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._names = {str(sandbox.segment): "~/shop", str(sandbox.root): "~", sys.executable: "python"}
        self._names |= {os.path.dirname(sys.executable): "~/.venv/bin", sys.prefix: "~/.venv"}
        self.wrong: list[str] = []

    def command(self, line: str, output: str) -> None:
        """Print a command and what it said."""
        print(self._plain(f"$ {line}\n{output.rstrip()}\n"), flush=True)

    def remark(self, text: str) -> None:
        """Print what happens elsewhere than in the shell."""
        print(self._plain(f"# {text}"), flush=True)

    def check(self, what: str, is_so: bool) -> None:
        """Note what is not as it should be."""
        if not is_so:
            self.wrong.append(what)

    def _plain(self, text: str) -> str:
        for path, name in self._names.items():
            text = text.replace(path, name)
        return text


def main() -> int:
    """Show it; the exit code says whether it was as promised."""
    if why := Neovim.missing():
        sys.exit(f"{why}; scripts/install_editors.sh installs it")
    with tempfile.TemporaryDirectory(prefix="ctx-faces-") as folder:
        sandbox = Sandbox(Path(folder))
        sandbox.write(REPOSITORY)
        shown = Shown(sandbox)
        try:
            show(sandbox, shown)
        finally:
            sandbox.close()
    for line in shown.wrong:
        print(f"NOT SO: {line}", file=sys.stderr)
    return 1 if shown.wrong else 0


def show(sandbox: Sandbox, shown: Shown) -> None:
    """Go through the three faces."""
    servers = {"CTX_LSP_ENABLED": "1", "CTX_LSP_WARM": "basedpyright"}
    editor = Neovim(sandbox, environment=servers)
    try:
        editor.step("open", str(sandbox.segment / "shop/cart.py"))
        editor.step("connected")
        editor.step("go", "SignedCookie)")
        landed = editor.step("definition")
        shown.remark(f"Neovim, shop/cart.py: a jump from SignedCookie goes to {landed['file']}:{landed['line']}")
        editor.step("open", str(sandbox.segment / "shop/cart.py"))
        editor.step("append", FUNCTION)
        editor.step("outline")
        shown.remark(f"Neovim: a function {NAME} typed at the end of shop/cart.py, not saved")
        shown.command(f"grep -c {NAME} shop/cart.py", str((sandbox.segment / "shop/cart.py").read_text().count(NAME)))
        found = sandbox.run("search", NAME, env=servers)
        shown.command(f"ctx search {NAME}", found.out)
        hits = sandbox.run("search", NAME, "--json", env=servers).document["hits"]
        shown.check("a search in a shell finds the function first", bool(hits) and hits[0]["qualname"] == NAME)
        if hits:
            asyncio.run(ask_agent_server(sandbox, shown, hits[0]["id"], servers))
        editor.step("status", "READY")
    finally:
        editor.close()
    faces(sandbox, shown)


async def ask_agent_server(sandbox: Sandbox, shown: Shown, identifier: str, servers: dict[str, str]) -> None:
    """Ask `ctx mcp` for a text; look at the processes while all three faces are at work."""
    from mcp import Client, StdioServerParameters

    environment = sandbox.environment(servers)
    arguments = ["-m", "ctx", "mcp"]
    server = StdioServerParameters(command=sys.executable, args=arguments, cwd=sandbox.segment, env=environment)
    async with Client(server) as client:
        call = {"id": identifier, "mode": "raw"}
        answer = await client.call_tool("ctx_get", call)
        text = "\n".join(block.text for block in answer.content if block.type == "text")
        shown.command(f"mcp call ctx_get {shlex.quote(json.dumps(call))}", text)
        shown.check("ctx_get returns the function", "Wrap it in paper with stars on it." in text)
        processes(sandbox, shown)


def processes(sandbox: Sandbox, shown: Shown) -> None:
    """Show the host, the faces and the language server among this shop's processes."""
    ours = {str(pid) for pid in sandbox.processes()}
    for pattern in ("ctx (lsp|mcp)", "ctx daemon start", SERVER_WORDS):
        done = subprocess.run(["pgrep", "-af", "--", pattern], capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.split()[0] in ours and "launcher.py" not in line]
        # Copies and the backend of a host are forks of its front and keep its command line: the parent tells.
        tops = [line for line in lines if parent(int(line.split()[0])) not in {int(one.split()[0]) for one in lines}]
        shown.command(f"pgrep -af '{pattern}'   # without forks of the same process", "\n".join(tops))
        wanted = {"ctx (lsp|mcp)": 2}.get(pattern, 1)
        shown.check(f"{wanted} process(es) like {pattern}, found {len(tops)}", len(tops) == wanted)


def parent(pid: int) -> int:
    """Return a process's parent, 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def faces(sandbox: Sandbox, shown: Shown) -> None:
    """Show from the telemetry which faces there were."""
    events: list[dict[str, Any]] = sandbox.events()
    told = Counter(event["args"].get("face") for event in events if event["cmd"] == "command.start")
    filters = 'select(.cmd == "command.start") | .args.face'
    lines = [f"{count:>7} {face}" for face, count in sorted(told.items()) if face]
    shown.command(f"jq -r '{filters}' _ctx/telemetry/events.jsonl | sort | uniq -c", "\n".join(lines))
    shown.check("telemetry has the faces cli, lsp and mcp", {"cli", "lsp", "mcp"} <= set(told))
    started = Counter(event["args"].get("server") for event in events if event["cmd"] == "lsp.spawn")
    lines = [f"{count:>7} {server}" for server, count in sorted(started.items())]
    spawned = 'select(.cmd == "lsp.spawn") | .args.server'
    shown.command(f"jq -r '{spawned}' _ctx/telemetry/events.jsonl | sort | uniq -c", "\n".join(lines))
    shown.check("one language server was started, once", sum(started.values()) == 1)


if __name__ == "__main__":
    sys.exit(main())
