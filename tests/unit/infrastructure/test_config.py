"""Settings: which file or variable wins, and what a wrong one is told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import UsageError
from ctx.infrastructure.config import CONFIG_BYTES_MAX, SETTINGS, Config, load_config

if TYPE_CHECKING:
    from pathlib import Path


class Places:
    """The two files and the environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"XDG_CONFIG_HOME": str(root / "home")}
        (root / "home/ctx").mkdir(parents=True)
        (root / "seg/_ctx").mkdir(parents=True)

    def user(self, text: str) -> None:
        (self.root / "home/ctx/config.toml").write_text(text)

    def segment(self, text: str | bytes) -> None:
        raw = text.encode() if isinstance(text, str) else text
        (self.root / "seg/_ctx/config.toml").write_bytes(raw)

    def load(self, **variables: str) -> Config:
        return load_config(str(self.root / "seg"), self.environ | variables)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_without_files_the_defaults_hold(places: Places) -> None:
    """All of them, from nowhere, without a warning; a folder that is missing is no error."""
    config = load_config(str(places.root / "none"), {"XDG_CONFIG_HOME": str(places.root / "nothing")})
    assert {setting.name: setting.default for setting in SETTINGS} == dict(config.values)
    assert ({}, ()) == (config.sources, config.warnings)


def test_the_segment_beats_the_user_and_the_environment_beats_both(places: Places) -> None:
    """Setting by setting, and each says where it came from."""
    places.user("[search]\nlimit = 1\nbudget = 2\n[get]\nbudget = 3\n")
    places.segment("[search]\nbudget = 20\n[get]\nbudget = 30\n")
    config = places.load(CTX_GET_BUDGET="300")
    assert (1, 20, 300) == tuple(config.number(name) for name in ("search.limit", "search.budget", "get.budget"))
    assert {
        "search.limit": "user config.toml",
        "search.budget": "_ctx/config.toml",
        "get.budget": "CTX_GET_BUDGET",
    } == config.sources


def test_every_kind_of_value_is_read(places: Places) -> None:
    """Numbers, texts and lists, from a file and from variables."""
    places.segment('[index]\nignore = ["*.gen.py", "old/"]\n[tokens]\nencoding = "o200k_base"\n')
    config = places.load()
    assert ("*.gen.py", "old/") == config.items("index.ignore")
    assert "o200k_base" == config.text("tokens.encoding")
    assert ("a", "b/") == places.load(CTX_INDEX_IGNORE="a:b/").items("index.ignore")
    assert "cl100k_base" == places.load(CTX_TOKENS_ENCODING="cl100k_base").text("tokens.encoding")
    assert 0 == places.load(CTX_INDEX_WORKERS="").number("index.workers")


@pytest.mark.parametrize(("text", "value"), [("1", True), ("on", True), ("FALSE", False), ("no", False)])
def test_yes_and_no_are_read_as_people_write_them(places: Places, text: str, value: bool) -> None:
    """In a variable; a file has TOML's own."""
    assert value is places.load(CTX_DAEMON_AUTO=text).flag("daemon.auto")
    with pytest.raises(UsageError, match="CTX_DAEMON_AUTO must be true or false, found 'perhaps'"):
        places.load(CTX_DAEMON_AUTO="perhaps")


def test_what_starts_programs_is_not_taken_from_the_segment(places: Places) -> None:
    """A repository somebody gave us must not have its own program run; the person's own file may name one."""
    places.segment('[lsp]\ncommands = ["ty=./evil"]\n')
    config = places.load()
    assert () == config.items("lsp.commands")
    assert ("_ctx/config.toml: [lsp] commands is left out; it counts in your own config.toml only",) == config.warnings
    places.user('[lsp]\ncommands = ["ty=/opt/ty server"]\n')
    assert ("ty=/opt/ty server",) == places.load().items("lsp.commands")


def test_variables_are_named_after_section_and_key() -> None:
    """No two settings share one."""
    variables = [setting.variable for setting in SETTINGS]
    assert len(set(variables)) == len(variables)
    assert "CTX_INDEX_MAX_FILE_BYTES" in variables


def test_the_telemetry_level_of_the_environment_is_left_to_telemetry(places: Places) -> None:
    """A typo there must not stop a command."""
    assert "lite" == places.load(CTX_TELEMETRY_LEVEL="nonsense").text("telemetry.level")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[search\n", r"_ctx/config\.toml: not TOML \(.*line 1.*\); mend or remove it"),
        (b"[search]\nlimit = '\xff'\n", r"_ctx/config\.toml: not TOML \(.*\); mend or remove it"),
        ("x = " + "[" * 5000, r"_ctx/config\.toml: not TOML \(.*\); mend or remove it"),
        ("[search]\nlimit = 0\n", r"_ctx/config\.toml: \[search\] limit must be a whole number >= 1, found 0"),
        ("[search]\nlimit = true\n", r"\[search\] limit must be a whole number >= 1, found True"),
        ("[search]\nlimit = '3'\n", r"\[search\] limit must be a whole number >= 1, found '3'"),
        ("[search]\nlimit = 1.5\n", r"\[search\] limit must be a whole number >= 1, found 1\.5"),
        ("[index]\nworkers = -1\n", r"\[index\] workers must be a whole number >= 0, found -1"),
        ("[index]\nignore = 'x'\n", r"\[index\] ignore must be a list of texts, found 'x'"),
        ("[index]\nignore = [1]\n", r"\[index\] ignore must be a list of texts, found \[1\]"),
        ("[tokens]\nencoding = 'x'\n", r"\[tokens\] encoding must be one of cl100k_base, o200k_base, found 'x'"),
        ("[lsp]\nenabled = 1\n", r"\[lsp\] enabled must be true or false, found 1"),
        ("[telemetry]\nlevel = 1\n", r"\[telemetry\] level must be one of off, lite, full, found 1"),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_finding(places: Places, text: str | bytes, message: str) -> None:
    """One line: file, key, what was expected, what was found."""
    places.segment(text)
    with pytest.raises(UsageError, match=message) as caught:
        places.load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["x", "0", "-3", "9" * 5000, "1e3"])
def test_a_wrong_variable_is_refused_by_its_name(places: Places, value: str) -> None:
    """The same check as for the files."""
    with pytest.raises(UsageError, match="CTX_SEARCH_LIMIT must be a whole number >= 1, found"):
        places.load(CTX_SEARCH_LIMIT=value)


def test_a_file_that_cannot_be_read_is_refused(places: Places) -> None:
    """A directory in its place, for one."""
    (places.root / "seg/_ctx/config.toml").mkdir()
    with pytest.raises(UsageError, match=r"_ctx/config\.toml: cannot be read"):
        places.load()


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("[serach]\nlimit = 1\n", "_ctx/config.toml: [serach] is no section of ctx's; did you mean search?"),
        (
            "[zzz]\n",
            "_ctx/config.toml: [zzz] is no section of ctx's; known are "
            + ", ".join(sorted({setting.section for setting in SETTINGS})),
        ),
        ("search = 3\n", "_ctx/config.toml: [search] is no section of ctx's; did you mean search?"),
        ("[search]\nlimits = 1\n", "_ctx/config.toml: [search] limits is no setting of ctx's; did you mean limit?"),
        ("[get]\nq = 1\n", "_ctx/config.toml: [get] q is no setting of ctx's; known are budget"),
    ],
)
def test_an_unknown_key_is_a_warning(places: Places, text: str, warning: str) -> None:
    """A newer file does not break an older ctx; the nearest name is offered."""
    places.segment(text)
    config = places.load()
    assert (warning,) == config.warnings
    assert 10 == config.number("search.limit")


@pytest.mark.parametrize("kind", ["device", "pipe", "large"])
def test_a_file_without_end_is_refused(places: Places, kind: str) -> None:
    """A repository can ship a link to a device; it would be read until the memory is full."""
    path = places.root / "seg/_ctx/config.toml"
    if kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_bytes(b"#" * (CONFIG_BYTES_MAX + 1))
    with pytest.raises(UsageError, match=r"_ctx/config\.toml: (cannot be read|larger than)"):
        places.load()


def test_a_link_to_a_file_is_followed(places: Places) -> None:
    """As people keep their own."""
    (places.root / "elsewhere.toml").write_text("[search]\nlimit = 3\n")
    (places.root / "home/ctx/config.toml").symlink_to(places.root / "elsewhere.toml")
    assert 3 == places.load().number("search.limit")
