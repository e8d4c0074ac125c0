"""The one table of language servers: how each is started, what it speaks, and where it deviates.

Owns what is known of them without looking at a machine. Where one is installed is found by
`infrastructure.ast_lsp.server_discovery`; how one is talked to is `infrastructure.ast_lsp.lsp_client`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _no_settings(_interpreter: str) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Backend:
    """One language server.

    `programs` are the command lines that may start it, the first found is taken. `cold_rank` and `warm_rank` order those
    of one language for a command that starts its own server and for a host that keeps it: the lowest is asked, None
    never unless configured. `settings` gives, for a Python interpreter ("" when none is known), what the server gets for
    `workspace/configuration`, as one nested object. `pulls_diagnostics` says that the server publishes no diagnostics by
    itself and is asked for them. `memory_mib` is what it may take in a host before it is restarted.
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

    def language_id(self, language: str) -> str:
        """Return the protocol's name of a language."""
        return self.language_ids.get(language, LANGUAGE_IDS.get(language, language))


LANGUAGE_IDS = {"tsx": "typescriptreact", "bash": "shellscript"}
"""Where the protocol's name of a language is not ctx's."""
