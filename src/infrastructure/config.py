"""Settings: defaults, the user's file, the segment's file, the environment; flags of a command beat them all.

Owns the one table of settings. A malformed file is an error that names its line; an unknown key is a warning, so
that a newer file does not break an older ctx.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..domain.errors import UsageError
from .regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_FILE = "config.toml"
CONFIG_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its place in the files, its variable, its default and the least value of a number.

    One that is `personal` is not taken from the segment's file: a repository could have a program of its own run.
    """

    section: str
    key: str
    default: bool | int | str | tuple[str, ...]
    minimum: int = 0
    choices: tuple[str, ...] = ()
    personal: bool = False

    @property
    def name(self) -> str:
        """The dotted name, as documentation and messages give it."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable that overrides the files."""
        return f"CTX_{self.section}_{self.key}".upper()


SETTINGS: tuple[Setting, ...] = (
    Setting("search", "limit", 10, minimum=1),
    Setting("search", "budget", 4000, minimum=1),
    Setting("get", "budget", 8000, minimum=1),
    Setting("map", "budget", 2048, minimum=1),
    Setting("resolve", "deadline_ms", 400, minimum=1),
    Setting("index", "max_file_bytes", 2 * 1024 * 1024, minimum=1),
    Setting("index", "workers", 0),
    Setting("index", "ignore", ()),
    Setting("tokens", "encoding", "cl100k_base", choices=("cl100k_base", "o200k_base")),
    Setting("telemetry", "level", "lite", choices=("off", "lite", "full")),
    Setting("lsp", "enabled", True),
    Setting("lsp", "deadline_ms", 500, minimum=1),
    Setting("lsp", "cold", ()),
    Setting("lsp", "warm", ()),
    Setting("lsp", "commands", (), personal=True),
    Setting("daemon", "auto", False),
    Setting("daemon", "idle_minutes", 30, minimum=1),
    Setting("daemon", "memory_mib", 2048, minimum=128),
)
_SPELLED = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_BY_NAME = {setting.name: setting for setting in SETTINGS}
_SECTIONS = frozenset(setting.section for setting in SETTINGS)
_OF_HOST = (
    "index.max_file_bytes",
    "index.ignore",
    "tokens.encoding",
    "lsp.deadline_ms",
    "lsp.warm",
    "lsp.commands",
    "daemon.idle_minutes",
    "daemon.memory_mib",
)


@dataclass(frozen=True, slots=True)
class Config:
    """The values in force, by dotted name, where each came from, and what was odd about the files."""

    values: Mapping[str, bool | int | str | tuple[str, ...]]
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def flag(self, name: str) -> bool:
        """Return a setting that is true or false."""
        value = self.values[name]
        assert isinstance(value, bool)
        return value

    def number(self, name: str) -> int:
        """Return an integer setting."""
        value = self.values[name]
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> str:
        """Return a string setting."""
        value = self.values[name]
        assert isinstance(value, str)
        return value

    def items(self, name: str) -> tuple[str, ...]:
        """Return a list setting."""
        value = self.values[name]
        assert isinstance(value, tuple)
        return value


def host_settings(config: Config) -> dict[str, Any]:
    """Return what a warm host reads at its start and keeps, as JSON carries it; all else is read by each command."""
    values = ((name, config.values[name]) for name in _OF_HOST)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def load_config(segment: str, environ: Mapping[str, str]) -> Config:
    """Return the settings in force for a segment.

    Raises: UsageError for a file that is no TOML, or a value of the wrong kind, with file and key.
    """
    values: dict[str, Any] = {setting.name: setting.default for setting in SETTINGS}
    sources: dict[str, str] = {}
    warnings: list[str] = []
    for path, shown, is_personal in _files(segment, environ):
        document = _read(path, shown)
        for section, content in document.items():
            if section not in _SECTIONS or not isinstance(content, dict):
                warnings.append(f"{shown}: [{section}] is no section of ctx's; {_nearest(section, _SECTIONS)}")
                continue
            for key, value in content.items():
                setting = _BY_NAME.get(f"{section}.{key}")
                if setting is None:
                    known = [s.key for s in SETTINGS if s.section == section]
                    warnings.append(f"{shown}: [{section}] {key} is no setting of ctx's; {_nearest(key, known)}")
                    continue
                if setting.personal and not is_personal:
                    warnings.append(f"{shown}: [{section}] {key} is left out; it counts in your own {CONFIG_FILE} only")
                    continue
                values[setting.name] = _checked(setting, value, f"{shown}: [{section}] {key}")
                sources[setting.name] = shown
    for setting in SETTINGS:
        text = environ.get(setting.variable)
        # The telemetry level's variable is the telemetry's own to check: it degrades where others refuse.
        if text and setting.name != "telemetry.level":
            values[setting.name] = _checked(setting, _parsed(setting, text), setting.variable)
            sources[setting.name] = setting.variable
    return Config(values, sources, tuple(warnings))


def _files(segment: str, environ: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    home = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return [
        (os.path.join(home, "ctx", CONFIG_FILE), f"user {CONFIG_FILE}", True),
        (os.path.join(segment, "_ctx", CONFIG_FILE), f"_ctx/{CONFIG_FILE}", False),
    ]


def _read(path: str, shown: str) -> dict[str, Any]:
    try:
        # A link of a person's own is followed; a device or a pipe at its end would never end.
        with open(open_regular(os.path.realpath(path), os.O_RDONLY), "rb") as file:
            raw = file.read(CONFIG_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{shown}: cannot be read ({error.strerror}); mend or remove it") from None
    if len(raw) > CONFIG_BYTES_MAX:
        raise UsageError(f"{shown}: larger than {CONFIG_BYTES_MAX} bytes; mend or remove it")
    import tomllib

    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{shown}: not TOML ({error}); mend or remove it") from None


def _parsed(setting: Setting, text: str) -> object:
    if isinstance(setting.default, bool):
        return _SPELLED.get(text.lower(), text)
    if isinstance(setting.default, int):
        try:
            return int(text)
        except ValueError:
            return text
    return text.split(":") if isinstance(setting.default, tuple) else text


def _checked(setting: Setting, value: object, where: str) -> bool | int | str | tuple[str, ...]:
    if isinstance(setting.default, bool):
        if not isinstance(value, bool):
            raise UsageError(f"{where} must be true or false, found {value!r}")
        return value
    if isinstance(setting.default, int):
        if not isinstance(value, int) or isinstance(value, bool) or value < setting.minimum:
            raise UsageError(f"{where} must be a whole number >= {setting.minimum}, found {value!r}")
        return value
    if isinstance(setting.default, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{where} must be a list of texts, found {value!r}")
        return tuple(value)
    if not isinstance(value, str) or (setting.choices and value not in setting.choices):
        raise UsageError(f"{where} must be one of {', '.join(setting.choices)}, found {value!r}")
    return value


def _nearest(word: str, known: object) -> str:
    import difflib

    options = sorted(known)  # type: ignore[call-overload]  # any collection of strings
    close = difflib.get_close_matches(word, options, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(options)}"
