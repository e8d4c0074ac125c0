"""What an editor may set: `initializationOptions` and the settings of `workspace/didChangeConfiguration`.

Owns the one table of options. A wrong one is left out and said, with the nearest that there is; the rest counts.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...domain.server_backends import BACKENDS, backend_named
from ..config import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..config import Config

FEATURES = {
    "documentSymbol": True,
    "hover": True,
    "definition": True,
    "references": True,
    "workspaceSymbol": True,
    "codeLens": True,
    "diagnostics": False,
    "commands": True,
    "progress": True,
    "status": True,
}
"""Features that can be switched, with their defaults; docs/editor-server.md says what each is."""

SECTION = "ctx"
_LSP = "lsp"
_SERVER_SETTINGS = {s.key: s for s in SETTINGS if s.section == _LSP and not s.personal}
"""Settings of language servers. The personal ones stay out: an editor takes settings from the folder it opens."""


@dataclass(frozen=True, slots=True)
class EditorOptions:
    """The options in force; `lsp` holds settings of `lsp.*` that beat those of the files."""

    features: Mapping[str, bool] = field(default_factory=lambda: dict(FEATURES))
    lsp: Mapping[str, bool | int | tuple[str, ...]] = field(default_factory=dict)

    def has(self, feature: str) -> bool:
        """Tell whether a feature is switched on."""
        return self.features[feature]

    def applied_to(self, config: Config) -> Config:
        """Return the configuration with these settings in place of its own."""
        changed = {f"{_LSP}.{key}": value for key, value in self.lsp.items()}
        sources = dict.fromkeys(changed, "the editor")
        return replace(config, values={**config.values, **changed}, sources={**config.sources, **sources})


def options_of(given: Any) -> tuple[EditorOptions, list[str]]:
    """Return the options in what an editor sent, and what is wrong with it, one sentence each.

    None stands for the defaults, as does an empty object; options may stand under the key "ctx".
    """
    if given is None:
        return EditorOptions(), []
    if not isinstance(given, dict):
        return EditorOptions(), [f"options must be an object, found {_shown(given)}; the defaults are used"]
    if set(given) == {SECTION}:
        return options_of(given[SECTION])
    features = dict(FEATURES)
    servers: dict[str, bool | int | tuple[str, ...]] = {}
    problems: list[str] = []
    for key, value in given.items():
        if key == _LSP:
            servers, wrong = _server_settings(value)
            problems += wrong
        elif key not in FEATURES:
            problems.append(f"option {_shown(key)} is none of ctx's; {_nearest(key, (*FEATURES, _LSP))}")
        elif not isinstance(value, bool):
            problems.append(f'option "{key}" must be true or false, found {_shown(value)}; {FEATURES[key]!r} is used')
        else:
            features[key] = value
    return EditorOptions(features, servers), problems


def _server_settings(given: Any) -> tuple[dict[str, bool | int | tuple[str, ...]], list[str]]:
    if not isinstance(given, dict):
        return {}, [f'option "lsp" must be an object, found {_shown(given)}; it is left out']
    found: dict[str, bool | int | tuple[str, ...]] = {}
    problems = []
    for key, value in given.items():
        setting = _SERVER_SETTINGS.get(key)
        name = f'option "lsp.{key}"'
        if setting is None:
            problems.append(f"{name} is none of ctx's; {_nearest(key, _SERVER_SETTINGS)}")
        elif isinstance(setting.default, bool):
            if isinstance(value, bool):
                found[key] = value
            else:
                problems.append(f"{name} must be true or false, found {_shown(value)}; it is left out")
        elif isinstance(setting.default, int):
            if isinstance(value, int) and not isinstance(value, bool) and value >= setting.minimum:
                found[key] = value
            else:
                least = setting.minimum
                problems.append(f"{name} must be a whole number >= {least}, found {_shown(value)}; it is left out")
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            wrong = [(word, reason) for word in value if (reason := _why_no_server(word))]
            problems += [f"{name}: {_shown(word)} is left out, {reason}" for word, reason in wrong]
            words = tuple(word for word in value if word not in dict(wrong))
            if words or not value:
                found[key] = words
        else:
            problems.append(f"{name} must be a list of texts, found {_shown(value)}; it is left out")
    return found, problems


def _why_no_server(word: str) -> str:
    """Return why a server is not asked for by an editor's settings, "" for one that may be.

    One that has programs of the repository run is trusted by people's own settings alone: an editor's may be of the
    folder it opens.
    """
    backend = backend_named(word)
    if backend is None and word != "none":
        return f"it is no server ctx knows; {_nearest(word, [one.name for one in BACKENDS])}"
    return f"it {backend.risk}; name it in your own config.toml" if backend is not None and backend.risk else ""


def _nearest(word: object, known: Any) -> str:
    options = sorted(known)
    close = difflib.get_close_matches(str(word), options, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(options)}"


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else text[:39] + "…"
