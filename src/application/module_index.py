"""The modules of what is indexed, and who imports whom: made from the index, and kept in it as far as that pays.

Which files a spelling means is `domain.module_map`, what a manifest says `domain.manifests`, the edges are
`domain.import_graph`. A manifest is read again only when it changes, the edges are made again when anything does.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..domain.import_graph import Edges
    from ..domain.module_map import ModuleMap, ModuleRoot
    from ..domain.ports import IndexPort

_ROOTS_KEY = "modules.roots"
_EDGES_KEY = "modules.edges"


def module_map(index: IndexPort, read_text: Callable[[str], str | None], *, segment_name: str = "") -> ModuleMap:
    """Return the modules of the indexed files, by the names that their manifests give and by their paths.

    `read_text` gives a file's text by its printed path, None when it cannot be read any more. It is asked for
    manifests that are new or changed since they were last read; what was read is kept in the index.
    """
    from ..domain.manifests import is_manifest  # late: what is kept answers most questions without modules
    from ..domain.module_map import ModuleMap

    files: list[tuple[str, str]] = []
    manifests: dict[str, str] = {}
    for path, language, sha, _tokens in index.files():
        files.append((path, language))
        if sha and is_manifest(path):
            manifests[path] = sha
    roots = _roots(index, manifests, read_text) if manifests else []
    return ModuleMap(files, segment_name=segment_name, roots=roots)


def _roots(index: IndexPort, manifests: dict[str, str], read_text: Callable[[str], str | None]) -> list[ModuleRoot]:
    from ..domain.manifests import roots_of_manifest
    from ..domain.module_map import ModuleRoot

    kept = unpacked(index.cached(_ROOTS_KEY)) or {}
    found: dict[str, list[Any]] = {}
    for path, sha in manifests.items():
        known = kept.get(path)
        if known is None or known[0] != sha:
            text = read_text(path)
            if text is None:
                continue  # gone a moment ago, or for a moment
            known = [sha, roots_of_manifest(path, text)]
        found[path] = known
    if found != kept:
        index.put_cached(_ROOTS_KEY, packed(found))
    return [ModuleRoot(*root) for _sha, roots in found.values() for root in roots]


def import_edges(index: IndexPort, modules: Callable[[], ModuleMap]) -> Edges:
    """Return who imports whom (see `import_graph.file_edges`), as it was kept while the index is what it was then."""
    generation = index.meta("generation")
    kept = unpacked(index.cached(_EDGES_KEY), generation)
    if kept is not None:
        paths: list[str] = kept["paths"]
        return {
            paths[int(importer)]: {paths[target]: count for target, count in zip(*targets, strict=True)}
            for importer, targets in kept["edges"].items()
        }
    from ..domain.import_graph import file_edges  # late: mostly they are read back

    edges = file_edges(index.imports(), modules())
    number: dict[str, int] = {}
    for importer, targets in edges.items():
        number.setdefault(importer, len(number))
        for target in targets:
            number.setdefault(target, len(number))
    numbered = {
        number[importer]: [[number[target] for target in targets], [*targets.values()]]
        for importer, targets in edges.items()
    }
    index.put_cached(_EDGES_KEY, packed({"generation": generation, "paths": [*number], "edges": numbered}))
    return edges


def packed(document: object) -> bytes:
    """Return a JSON document as the index keeps it."""
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode("ascii"), 1)


def unpacked(payload: bytes | None, generation: str | None = None) -> dict[str, Any] | None:
    """Return what was kept when it is of this generation of the index; what cannot be read back is made again."""
    if payload is None:
        return None
    try:
        document = json.loads(zlib.decompress(payload))
    except (zlib.error, ValueError):
        return None
    if not isinstance(document, dict) or (generation is not None and document.get("generation") != generation):
        return None
    return document
