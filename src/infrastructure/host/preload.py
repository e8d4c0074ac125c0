"""Loading, once and before any copy is made, what the commands would load each time."""

from __future__ import annotations

import contextlib
import gc
from importlib import import_module
from typing import TYPE_CHECKING

from ...domain.errors import CtxError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PACKAGE = __name__.removesuffix(".infrastructure.host.preload")
_NEEDED = (
    "application.context_pack",
    "application.focus",
    "application.get",
    "application.hover",
    "application.module_index",
    "application.refs",
    "application.repo_map",
    "application.resolve",
    "application.search",
    "application.text_search",
    "application.unparsed_files",
    "domain.context_pack",
    "domain.manifests",
    "domain.secret_rules",
    "domain.statistics",
    "domain.telemetry.latency",
    "domain.telemetry.summary",
    "infrastructure.answer_documents",
    "infrastructure.answer_texts",
    "infrastructure.ast_lsp",
    "infrastructure.ast_lsp.asked_servers",
    "infrastructure.ast_lsp.language_servers",
    "infrastructure.ast_lsp.segment_trees",
    "infrastructure.ast_lsp.selector",
    "infrastructure.cli.commands",
    "infrastructure.cli.entry",
    "infrastructure.cli.hover_command",
    "infrastructure.cli.map_command",
    "infrastructure.cli.navigation",
    "infrastructure.cli.paint",
    "infrastructure.file_indexer",
    "infrastructure.host.remote_servers",
    "infrastructure.host.segment_watch",
    "infrastructure.ignore_rules",
    "infrastructure.metrics_file",
    "infrastructure.null_telemetry",
    "infrastructure.parse_pool",
    "infrastructure.skeleton_store",
    "infrastructure.text_scanner",
    "infrastructure.tokenizer",
)
_OUTSIDE = (
    "difflib",
    "hashlib",
    "ignore.overrides",
    "json",
    "orjson",
    "rich.style",
    "sqlite3",
    "subprocess",
    "tempfile",
    "tomllib",
)


def preload(encoding: str, languages: Iterable[str]) -> None:
    """Import what commands use, load the tokenizer's tables and the grammars, compile the queries of `languages`.

    What the garbage collector knows is set aside: it would otherwise touch, and so copy, every page in each child.
    """
    for name in _NEEDED:
        import_module(f"{_PACKAGE}.{name}")
    for name in _OUTSIDE:
        import_module(name)
    from ..languages import LANGUAGES, extraction_version, grammar_of, query_of
    from ..tokenizer import BpeTokenCounter

    BpeTokenCounter(encoding).count("")
    wanted = set(languages)
    for row in LANGUAGES:
        with contextlib.suppress(CtxError):  # one that cannot be loaded is for the command to tell that needs it
            grammar_of(row.name)
            extraction_version(row.name)
            if row.name in wanted:
                query_of(row.name)
    gc.collect()
    gc.freeze()
