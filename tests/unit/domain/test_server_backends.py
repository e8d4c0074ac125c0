"""The table of language servers: what each row promises, and the order in which they are asked."""

from __future__ import annotations

import pytest

from ctx.domain.server_backends import BACKENDS, Backend, backend_named, backends_of

INTERPRETER = "/home/ann/shop/.venv/bin/python"


def test_rows_have_names_of_their_own_and_can_be_started() -> None:
    """Settings, telemetry and the host's shares go by the name."""
    names = [backend.name for backend in BACKENDS]
    assert len(names) == len(set(names))
    assert [] == [
        backend.name for backend in BACKENDS if not (backend.programs and backend.languages and backend.install)
    ]
    assert [] == [backend.name for backend in BACKENDS if not 256 <= backend.memory_mib <= 4096]


@pytest.mark.parametrize(
    ("is_host", "expected"),
    [
        (False, ["ty", "pyrefly", "pylsp", "jedi-language-server", "basedpyright", "pyright"]),
        (True, ["basedpyright", "pyright", "ty", "pyrefly", "jedi-language-server", "pylsp"]),
    ],
)
def test_order_for_python(is_host: bool, expected: list[str]) -> None:
    """A command asks who is there first, a host who knows most."""
    ranks = {backend.name: backend.rank(is_host=is_host) for backend in backends_of("python")}
    assert expected == sorted(ranks, key=lambda name: ranks[name] or 0)


@pytest.mark.parametrize("language", sorted({language for backend in BACKENDS for language in backend.languages}))
@pytest.mark.parametrize("is_host", [False, True])
def test_ranks_of_a_language_differ(language: str, is_host: bool) -> None:
    """Two of one rank would be asked in an order nobody chose."""
    ranks = [backend.rank(is_host=is_host) for backend in backends_of(language)]
    assert len(ranks) == len(set(ranks))


def test_who_can_run_what_a_repository_brings() -> None:
    """What cannot be told to leave the programs of a repository alone is used by name only."""
    assert ["pyrefly", "rust-analyzer", "jdtls"] == [backend.name for backend in BACKENDS if backend.risk]


def test_names_and_languages_that_are_not_known() -> None:
    """They are no error: a file of such a language has no server."""
    assert None is backend_named("pylance")
    assert () == backends_of("markdown")


@pytest.mark.parametrize(
    ("name", "language", "expected"),
    [
        ("typescript", "tsx", "typescriptreact"),
        ("typescript", "typescript", "typescript"),
        ("clangd", "cpp", "cpp"),
        ("ty", "python", "python"),
    ],
)
def test_language_ids(name: str, language: str, expected: str) -> None:
    """The protocol's name of a language where ctx has another."""
    assert expected == _row(name).language_id(language)


@pytest.mark.parametrize("name", ["pyright", "basedpyright"])
def test_pyright_is_given_its_interpreter(name: str) -> None:
    """Left to itself it runs one that it finds, in the repository, too; types are not checked."""
    settings = _row(name).settings(INTERPRETER)
    assert INTERPRETER == settings["python"]["pythonPath"]
    analysis = settings["basedpyright" if name == "basedpyright" else "python"]["analysis"]
    assert ("openFilesOnly", "off", False) == (
        analysis["diagnosticMode"],
        analysis["typeCheckingMode"],
        analysis["indexing"],
    )


def test_where_the_others_are_given_the_interpreter() -> None:
    """pylsp asks for no settings at first, so that it has them with its options, too."""
    assert INTERPRETER == _row("pyrefly").settings(INTERPRETER)["python"]["pythonPath"]
    assert INTERPRETER == _row("jedi-language-server").interpreter_options(INTERPRETER)["workspace"]["environmentPath"]
    for given in (_row("pylsp").settings, _row("pylsp").interpreter_options):
        assert INTERPRETER == given(INTERPRETER)["pylsp"]["plugins"]["jedi"]["environment"]


@pytest.mark.parametrize("backend", backends_of("python"), ids=lambda backend: backend.name)
def test_no_interpreter_is_no_setting(backend: Backend) -> None:
    """An empty path would be taken for one."""
    texts = [repr(given("")) for given in (backend.settings, backend.interpreter_options)]
    assert [] == [text for text in texts if "''" in text or "environmentPath" in text or "pythonPath" in text]


def test_what_keeps_servers_from_running_a_repository() -> None:
    """Each option that stands between a server and a build."""
    rust = _row("rust-analyzer").initialization_options
    assert (False, False, False) == (
        rust["cargo"]["buildScripts"]["enable"],
        rust["procMacro"]["enable"],
        rust["checkOnSave"],
    )
    java = _row("jdtls").initialization_options["settings"]["java"]
    assert (False, False, False) == (
        java["import"]["gradle"]["enabled"],
        java["import"]["maven"]["enabled"],
        java["autobuild"]["enabled"],
    )
    assert {"GOTOOLCHAIN": "local", "GOPROXY": "off", "CGO_ENABLED": "0"} == _row("gopls").environment
    assert [] == [word for word in _row("clangd").programs[0] if word.startswith("--query-driver")]
    assert _row("typescript").settings("")["js/ts"]["disableAutomaticTypeAcquisition"]
    assert _row("typescript-language-server").initialization_options["disableAutomaticTypingAcquisition"]
    python = [backend.name for backend in backends_of("python") if "PYTHONSAFEPATH" not in backend.environment]
    assert ["ty"] == python


def _row(name: str) -> Backend:
    backend = backend_named(name)
    assert backend is not None
    return backend
