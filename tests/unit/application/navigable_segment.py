"""A segment on disk that can be asked where names are defined and used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fakes import SegmentOnDisk, WordCounter

from ctx.application.module_index import module_map
from ctx.application.refs import FindReferences, RefsRequest
from ctx.application.resolve import Resolve, ResolveRequest
from ctx.application.unparsed_files import unparsed_files
from ctx.infrastructure.ast_lsp.segment_trees import SegmentTrees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ctx.domain.module_map import ModuleMap
    from ctx.domain.ports import LanguageServers
    from ctx.domain.symbol_answer import ReferencesAnswer, SymbolAnswer

CARET = "‸"


class NavigableSegment(SegmentOnDisk):
    """Takes files in which one `‸` marks the place that is asked about."""

    position = ""
    folder = ""
    servers: LanguageServers | None = None

    def fill(self, files: Mapping[str, str]) -> NavigableSegment:
        """Write the files without the mark, remember its place, and index them."""
        for name, text in files.items():
            before, mark, after = text.partition(CARET)
            path = self.folder + name
            if mark:
                self.position = f"{path}:{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}"
            self.put(path, before + after)
        self.refresh()
        return self

    def resolver(self, **options: Any) -> Resolve:
        """Return the use case over the files as they are."""
        trees = self.trees()
        return Resolve(self.store, self.files, trees, self.clock, self.modules, servers=self.servers, **options)

    def trees(self) -> SegmentTrees:
        """Return a reader of names that parses nothing the index says must not be."""
        return SegmentTrees(self.files, unparsed=lambda: unparsed_files(self.store))

    def modules(self) -> ModuleMap:
        """Return the modules of what is indexed."""
        return module_map(self.store, lambda path: (self.root / path).read_text())

    def resolve(self, query: str = "", *, limit: int = 20, **options: Any) -> SymbolAnswer:
        """Resolve a selector, or the marked place."""
        return self.resolver(**options)(ResolveRequest(query or self.position, limit))

    def places(self, query: str = "") -> list[str]:
        """Return `path:line qualname (reason)` of every candidate."""
        found = self.resolve(query).found
        return [f"{c.path.removeprefix(self.folder)}:{c.line} {c.qualname} ({c.reason})" for c in found]

    def refs(self, query: str = "", **options: Any) -> ReferencesAnswer:
        """Find the uses of a selector, or of the marked place."""
        return self.finder()(RefsRequest(query or self.position, **options))

    def finder(self) -> FindReferences:
        """Return the use case over the files as they are."""
        trees = self.trees()
        resolve = Resolve(self.store, self.files, trees, self.clock, self.modules, servers=self.servers)
        return FindReferences(resolve, self.store, trees.source, trees.parse, WordCounter(), self.clock)
