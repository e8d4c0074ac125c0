"""`ctx lsp`: the editor's server, as a command."""

from __future__ import annotations

from ..editor.run import LOG_LEVELS, run_editor_server
from ..services import say
from .runner import EXIT_CANNOT, EXIT_USAGE


def run_lsp(log_level: str) -> int:
    """`ctx lsp`: be the server; returns only when it cannot begin."""
    if log_level not in LOG_LEVELS:
        say(f"--log-level must be one of {', '.join(LOG_LEVELS)}, found {ascii(log_level)[:40]}")
        return EXIT_USAGE
    try:
        run_editor_server(log_level)
    except ImportError as error:
        say(f"the editor's server cannot be loaded ({error}); pip install 'pygls>=2.1'")
        return EXIT_CANNOT
