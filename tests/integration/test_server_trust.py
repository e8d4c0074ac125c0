"""Real language servers asked about hostile repositories: they answer, and nothing that came along is run."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ctx.domain.language_server import ServerQuestion
from ctx.infrastructure.ast_lsp.language_servers import LanguageServerPool
from ctx.infrastructure.clock import SystemClock
from ctx.infrastructure.config import load_config
from ctx.infrastructure.null_telemetry import NullTelemetry

if TYPE_CHECKING:
    from ctx.domain.language_server import ServerReply

CACHED = Path(__file__).parents[2] / ".cache" / "servers" / "bin"
OWN = Path(sys.executable).parent
PATIENCE_MS = 60_000
PYTHON = {
    "shop/__init__.py": "",
    "shop/base.py": "class Base: ...\n",
    "main.py": "from shop.base import Base\n\nBase()\n",
}
SCRIPTS = {"base.ts": "export class Base {}\n", "main.ts": "import { Base } from './base'\n\nnew Base()\n"}


def _needs(folder: Path, program: str) -> pytest.MarkDecorator:
    found = shutil.which(program, path=str(folder))
    return pytest.mark.skipif(found is None, reason=f"{program} is not in {folder.name}: `make servers` installs it")


def _slow(name: str, program: str) -> object:
    return pytest.param(name, CACHED / program, marks=(pytest.mark.slow, _needs(CACHED, program)))


@pytest.mark.parametrize(
    ("name", "program"),
    [
        pytest.param("ty", OWN / "ty", marks=_needs(OWN, "ty")),
        pytest.param("basedpyright", OWN / "basedpyright-langserver", marks=_needs(OWN, "basedpyright-langserver")),
        _slow("pyright", "pyright-langserver"),
        _slow("jedi-language-server", "jedi-language-server"),
        _slow("pylsp", "pylsp"),
    ],
)
def test_python(tmp_path: Path, name: str, program: Path) -> None:
    """Neither the interpreter of an environment that came along, nor modules named like the standard library's."""
    segment, ran = tmp_path / "segment", tmp_path / "ran"
    for path, text in PYTHON.items():
        _write(segment / path, text)
    for folder in (".venv", "venv", "tools"):
        _write(segment / folder / "pyvenv.cfg", f"home = {os.path.dirname(os.path.realpath(sys.executable))}\n")
        for file in ("python", "python3", "node", program.name):
            _write(segment / folder / "bin" / file, f'#!/bin/sh\necho "$0" >> {ran}\n').chmod(0o755)
    for module in ("json", "re", "sitecustomize", "platform", "encodings", "jedi", "pylsp", "parso"):
        _write(segment / f"{module}.py", f"open({str(ran)!r}, 'a').write(__file__)\n")
    _write(segment / "pyrightconfig.json", json.dumps({"venvPath": ".", "venv": "tools"}))
    _write(segment / "pyproject.toml", '[tool.ty.environment]\npython = "tools"\n')
    _write(segment / "_ctx/config.toml", f'[lsp]\ncommands = ["{name}={segment}/tools/bin/python"]\n')
    environ = {"PATH": f"tools/bin:{segment}/tools/bin:{os.environ['PATH']}", "PYTHONPATH": "."}
    reply = _asked(segment, (name, program), "main.py", "python", environ)
    assert ("answered", ["shop/base.py"], False) == (reply.status, [place.path for place in reply.places], ran.exists())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "program"),
    [
        pytest.param("typescript", CACHED / "tsc", marks=_needs(CACHED, "tsc")),
        pytest.param(
            "typescript-language-server",
            CACHED / "typescript-language-server",
            marks=_needs(CACHED, "typescript-language-server"),
        ),
    ],
)
def test_typescript(tmp_path: Path, name: str, program: Path) -> None:
    """Neither the TypeScript in node_modules, nor a plugin that tsconfig.json names."""
    segment, ran = tmp_path / "segment", tmp_path / "ran"
    for path, text in SCRIPTS.items():
        _write(segment / path, text)
    told = f"require('fs').appendFileSync({json.dumps(str(ran))}, __filename + '\\n')\n"
    modules = segment / "node_modules"
    for file in ("lib/tsserver.js", "lib/typescript.js", "lib/tsc.js", "lib/_tsserver.js", "bin/tsc"):
        _write(modules / "typescript" / file, told)
    _write(modules / "typescript/package.json", json.dumps({"name": "typescript", "version": "5.9.9"}))
    _write(modules / "plugin/index.js", told)
    _write(modules / "plugin/package.json", json.dumps({"name": "plugin", "version": "1.0.0", "main": "index.js"}))
    _write(segment / "tsconfig.json", json.dumps({"compilerOptions": {"plugins": [{"name": "plugin"}]}}))
    environ = {"PATH": f"{modules}/.bin:{os.environ['PATH']}"}
    reply = _asked(segment, (name, program), "main.ts", "typescript", environ)
    assert ("answered", ["base.ts"], False) == (reply.status, [place.path for place in reply.places], ran.exists())


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _asked(segment: Path, server: tuple[str, Path], path: str, language: str, environ: dict[str, str]) -> ServerReply:
    """Ask one server for the definition of what stands in the third line of a file."""
    name, program = server
    home = segment.parent / "home"
    home.mkdir()
    environ |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    config = load_config(str(segment), environ)
    ours = {"lsp.commands": (f"{name}={program}",), "lsp.warm": (name,), "lsp.deadline_ms": PATIENCE_MS}
    pool = LanguageServerPool(
        str(segment),
        replace(config, values={**config.values, **ours}),
        NullTelemetry(),
        SystemClock(),
        is_host=True,
        environ=environ,
    )
    line = (segment / path).read_text().splitlines()[2]
    question = ServerQuestion("definition", path, 3, line.index("Base") + 1, language, name="Base")
    try:
        return pool.ask(question).result()
    finally:
        pool.close()
