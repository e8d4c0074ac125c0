"""What is shipped is what is in the tree, and it runs where only the wheel is."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ctx import __version__
from ctx.infrastructure.languages import LANGUAGES

if TYPE_CHECKING:
    from tests.integration.conftest import Sandbox

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build folder left in the repository would end up in the next wheel."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    names = ["pyproject.toml", "README.md", "LICENSE"]
    names += [str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*") if path.suffix != ".pyc"]
    for name in names:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    if _has_build_backend():
        command.append("--no-build-isolation")
    built = subprocess.run([*command, "-w", str(target), str(source)], capture_output=True, text=True, check=False)
    assert 0 == built.returncode, built.stderr
    (found,) = target.glob("*.whl")
    return found


def _has_build_backend() -> bool:
    """Tell whether an installed setuptools is the one pyproject.toml asks for; otherwise pip has to fetch it."""
    code = "import setuptools, wheel, sys; sys.exit(int(setuptools.__version__.split('.')[0]) < 77)"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_packages_are_those_of_the_tree() -> None:
    """An unlisted subpackage works in a checkout and is missing from the wheel."""
    source = ROOT / "src"
    folders = sorted({path.parent for path in source.rglob("*.py")})
    names = [".".join(("ctx", *folder.relative_to(source).parts)) for folder in folders]
    assert names == PROJECT["tool"]["setuptools"]["packages"]
    assert [] == [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_wheel_holds_every_source_file(wheel: Path) -> None:
    """Modules, the typing mark and the query files are in the wheel, and nothing else is."""
    source = ROOT / "src"
    expected = {
        f"ctx/{path.relative_to(source).as_posix()}"
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert expected == {name for name in names if ".dist-info/" not in name}
    assert "ctx/py.typed" in names
    assert any(name.endswith(".scm") for name in names)
    assert f"-{__version__}-py3-none-any.whl" in wheel.name


def test_wheel_runs(wheel: Path, repository: Sandbox, tmp_path: Path) -> None:
    """Installed into an environment of its own, with nothing but its dependencies in reach, the script does the job."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=False)
    python = place / "bin/python"
    paths = sysconfig.get_paths(vars={"base": str(place), "platbase": str(place)})
    # What the current environment has installed is in reach; the package itself comes from the wheel, found first.
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, cwd=tmp_path)
    (Path(paths["purelib"]) / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    environment = repository.environment(covered=False)

    def run(*command: str) -> str:
        done = subprocess.run(
            command, cwd=repository.segment, env=environment, capture_output=True, text=True, check=False
        )
        assert (0, "") == (done.returncode, done.stderr), command
        return done.stdout

    script = str(place / "bin/ctx")
    assert f"ctx {__version__}\n" == run(script, "--version")
    assert str(place) in run(str(python), "-c", "import ctx; print(ctx.__file__)")
    repository.write({f"more/m{n}.py": f"def more_{n}(): ...\n" for n in range(450)})  # worker processes, too
    assert "shop/session.py#load_cookie" in run(script, "search", "load_cookie")
    assert "complete -o default" in run(script, "--show-completion", "bash")


def test_dependencies_are_those_that_are_imported() -> None:
    """Every third-party import of the package is declared, and every declared dependency is imported."""
    import ast
    import re

    imported = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add((node.module or "").partition(".")[0])
    third_party = imported - set(sys.stdlib_module_names) - {"ctx"}
    declared = {re.split(r"[<>=~!\[; ]", line)[0] for line in PROJECT["project"]["dependencies"]}
    other_names = {"ignore-python": "ignore", "google-re2": "re2"}
    expected = {other_names.get(name, name.replace("-", "_")) for name in declared}
    grammars = {row.grammar_module for row in LANGUAGES}  # imported by the names in the table
    by_name = {"detect_secrets"}  # its plugins are, by the names in the one module that needs them
    extra = {"mcp", "duckdb"}  # optional, and said so by the one command that needs it
    brought_along = {"rich", "cattrs", "anyio", "mcp_types"}  # by typer, pygls and mcp
    assert third_party | grammars | by_name == expected | extra | (third_party & brought_along)
