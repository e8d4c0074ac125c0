"""What telemetry is told of a search or a map that was asked, by whichever face."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def search_args(
    query: str | None,
    mode: str,
    *,
    limit: int | None = None,
    kind: str | None = None,
    lang: str | None = None,
    path: str | None = None,
    focus: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the arguments of a `ctx.search`, filters that were given among them.

    The mode is `search`, `literal` or `regex`.
    """
    filters = {"kind": kind, "lang": lang, "path": path, "focus": list(focus or ())}
    return {"query": query, "limit": limit, "mode": mode} | {name: value for name, value in filters.items() if value}


def map_args(paths: Sequence[str] | None, focus: Sequence[str] | None) -> dict[str, Any]:
    """Return the arguments of a `ctx.map`, the focus if one was given."""
    return {"files": list(paths or ()), "mode": "map"} | ({"focus": list(focus)} if focus else {})
