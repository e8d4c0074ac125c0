"""Who imports whom among the segment's files, and which file a name used in one of them comes from.

Owns the graph and the walk along imports. What a statement binds is `imports`, which files a spelling means is
`module_map`. Definitions and imports of files come in as callables: a name is followed by reading only what lies on
its way.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from .imports import ALL_NAMES, DEFAULT_NAME, ImportedName, parse_import
from .module_map import PACKAGE_LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .module_map import ModuleMap

Edges: TypeAlias = "dict[str, dict[str, int]]"
"""Importer -> imported file -> how many names it takes from it."""

HOPS_MAX = 24
"""How many files one name is followed through; the longest honest chain of re-exports met is 6."""
FILES_MAX = 400
"""How many files one question may look into: `#include` opens all that a header includes in turn."""

_SEPARATOR = re.compile(r"::|->|[.\\]")
_JOINTS = {"python": ".", "java": ".", "csharp": ".", "rust": "::", "php": "\\"}
"""What stands between a module and its part in the languages where an imported name can be a module itself."""


class Origin(NamedTuple):
    """Where a name may come from.

    `name` is the dotted name in `path`, as it is called there, "" when the name stands for the whole file.
    `is_defined` tells whether the file defines it (its first part, that is: attributes are not looked up); False marks
    the file where the trail ends, which makes the name in a way that no definition shows.
    """

    path: str
    name: str
    is_defined: bool


@dataclass(frozen=True, slots=True)
class Lookups:
    """What `origins_of` asks of an index.

    - `imports_of(path)` the names a file's import statements bind, in source order;
    - `defines(path, name)` whether the file has a definition of that name at its top level, namespaces aside;
    - `modules` the map of the segment's files.
    """

    imports_of: Callable[[str], Sequence[ImportedName]]
    defines: Callable[[str, str], bool]
    modules: ModuleMap


def file_edges(imports: Iterable[tuple[str, str, int, str]], modules: ModuleMap) -> Edges:
    """Return who imports whom: {importer: {imported file: number of names}}, without imports of itself.

    `imports` are (path, language, line, text) as `IndexPort.imports` gives them. A name that is a submodule or has a
    file of its own (`from pkg import sub`, Java's classes) leads to that file, any other to the module's best file.
    An import of a whole package (Go, C#, Java's `*`) leads to each of its files. `*`, a module itself and an import
    that binds nothing count as one name.
    """
    edges: Edges = {}
    for path, language, _, text in imports:
        for imported in parse_import(language, text):
            for target in _targets(imported, language, path, modules):
                if target != path:
                    of_path = edges.setdefault(path, {})
                    of_path[target] = of_path.get(target, 0) + 1
    return edges


def imported(edges: Mapping[str, Mapping[str, int]], path: str) -> tuple[str, ...]:
    """Return the files that `path` imports, those it takes most names from first."""
    counts = edges.get(path, {})
    return tuple(sorted(counts, key=lambda target: (-counts[target], target)))


def importers(edges: Mapping[str, Mapping[str, int]], path: str) -> tuple[str, ...]:
    """Return the files that import `path`, those that take most names from it first."""
    counts = {importer: targets[path] for importer, targets in edges.items() if path in targets}
    return tuple(sorted(counts, key=lambda importer: (-counts[importer], importer)))


def _targets(taken: ImportedName, language: str, path: str, modules: ModuleMap) -> tuple[str, ...]:
    """Return the files one import leads to."""
    own = _submodule_files(taken, language, path, modules)
    if own:
        return own[:1]
    files = modules.files_of(taken.module, language, path)
    return files if language in PACKAGE_LANGUAGES and taken.name in ("", ALL_NAMES) else files[:1]


def _submodule_files(taken: ImportedName, language: str, path: str, modules: ModuleMap) -> tuple[str, ...]:
    """Return the files of the imported name taken for a module of its own, empty where names cannot be modules."""
    joint = _JOINTS.get(language)
    if joint is None or taken.name in ("", ALL_NAMES):
        return ()
    module = taken.module
    is_open = not module or module.endswith(joint)
    return modules.files_of(f"{module}{taken.name}" if is_open else f"{module}{joint}{taken.name}", language, path)


def origins_of(name: str, path: str, lookups: Lookups) -> tuple[Origin, ...]:
    """Return where a name used in `path` may come from, the likeliest first; empty when nothing in the segment tells.

    `name` is as written there, with what it is reached through: `Model`, `models.Model`, `fmt.Println`,
    `crate::a::B`. A definition in the file itself comes first, then what its imports bind, followed through files
    that hand it on (a package's `__init__`, barrel files, `pub use`, `*`, headers), then the file's package where a
    language makes its names visible. Several imports of one name (a fallback on ImportError) are several origins.
    A built-in, a local variable or a third party's name has none.

    Cycles end, and so does the walk after `HOPS_MAX` files in a row and `FILES_MAX` in all. Only files on the way are
    looked up.
    """
    parts = tuple(part for part in _SEPARATOR.split(name) if part)
    if not parts:
        return ()
    walk = _Walk(lookups)
    found = walk.within(path, parts) or walk.by_whole_path(path, parts)
    return tuple(dict.fromkeys(sorted(found, key=lambda origin: not origin.is_defined)))


@dataclass(slots=True)
class _Walk:
    """One question's way through the files; remembers what it has read and answered."""

    lookups: Lookups
    hops: int = 0
    read: dict[str, Sequence[ImportedName]] = field(default_factory=dict)
    answers: dict[tuple[str, tuple[str, ...]], list[Origin]] = field(default_factory=dict)
    leaving: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    """Names that a file is known to have from somewhere else: without an origin, that is outside the segment."""

    def within(self, path: str, parts: tuple[str, ...]) -> list[Origin]:
        """Return the origins of a name as `path` knows it, by definition, import or package."""
        key = (path, parts)
        known = self.answers.get(key)
        if known is not None:
            return known
        self.answers[key] = []  # what a cycle comes back to
        if self.hops >= HOPS_MAX:
            self.leaving.add(key)
            return []
        self.hops += 1
        found = [Origin(path, ".".join(parts), True)] if self.lookups.defines(path, parts[0]) else []
        for taken in self.imports_of(path):
            if taken.alias == parts[0]:
                self.leaving.add(key)
                found += self.through(taken, path, parts)
        if not found:
            found = self.through_everything(path, parts) or self.through_package(path, parts)
        self.hops -= 1
        self.answers[key] = found
        return found

    def imports_of(self, path: str) -> Sequence[ImportedName]:
        """Return what the file imports; nothing more once too many files were looked into."""
        known = self.read.get(path)
        if known is None:
            known = self.read[path] = self.lookups.imports_of(path) if len(self.read) < FILES_MAX else ()
        return known

    def through(self, taken: ImportedName, path: str, parts: tuple[str, ...]) -> list[Origin]:
        """Return the origins of `parts`, whose first one this import binds."""
        modules = self.lookups.modules
        language = modules.language_of(path)
        if not taken.name:
            return self.inside_module(taken, path, parts)
        rest = parts[1:]
        files = modules.files_of(taken.module, language, path)
        found = self.first_within(files, (taken.name, *rest))
        if not any(origin.is_defined for origin in found):
            own = _submodule_files(taken, language, path, modules)
            if language in PACKAGE_LANGUAGES:  # the file is named after the class it holds
                found = self.first_within(own, (taken.name, *rest)) or found
            found = found or self.of_files(own, rest)
        if not found and taken.name == DEFAULT_NAME and files:
            found = self.default_of(files[0], taken.alias, rest)
        return found or self.end_of_trail(files, (taken.name, *rest))

    def inside_module(self, taken: ImportedName, path: str, parts: tuple[str, ...]) -> list[Origin]:
        """Return the origins of `parts` whose first one is a module; its submodules may be among them."""
        modules = self.lookups.modules
        language = modules.language_of(path)
        spelled, rest = taken.module, parts[1:]
        if language == "python":
            if "." in spelled and taken.alias == spelled.partition(".")[0]:
                spelled = taken.alias  # `import a.b` binds a, and a.b is reached through it
            for count in range(len(rest), 0, -1):
                files = modules.files_of(".".join((spelled, *rest[:count])), language, path)
                found = self.of_files(files, rest[count:])
                if found:
                    return found
        files = modules.files_of(spelled, language, path)
        if not rest and files and language not in PACKAGE_LANGUAGES and self.lookups.defines(files[0], taken.alias):
            return [Origin(files[0], taken.alias, True)]  # CommonJS: the module is what it exports, mostly by that name
        return self.of_files(files, rest)

    def of_files(self, files: Sequence[str], rest: tuple[str, ...]) -> list[Origin]:
        """Return the origins of `rest` inside a module of these files, the module itself when nothing is left."""
        if not files:
            return []
        if not rest:
            return [Origin(files[0], "", True)]
        return self.first_within(files, rest) or self.end_of_trail(files, rest)

    def end_of_trail(self, files: Sequence[str], parts: tuple[str, ...]) -> list[Origin]:
        """Return the file that must be making the name, unless it is known to have it from outside the segment."""
        if not files or (files[0], parts) in self.leaving:
            return []
        return [Origin(files[0], ".".join(parts), False)]

    def first_within(self, files: Sequence[str], parts: tuple[str, ...]) -> list[Origin]:
        """Return the origins in the first of the files that has any."""
        for path in files:
            found = self.within(path, parts)
            if found:
                return found
        return []

    def default_of(self, path: str, alias: str, rest: tuple[str, ...]) -> list[Origin]:
        """Return what a module exports by default: mostly what the importer, or the file's name, calls it."""
        stem = path.rpartition("/")[2].partition(".")[0]
        for name in (alias, stem):
            if self.lookups.defines(path, name):
                return [Origin(path, ".".join((name, *rest)), True)]
        return [Origin(path, ".".join(rest), not rest)]

    def through_everything(self, path: str, parts: tuple[str, ...]) -> list[Origin]:
        """Return the origins of a name among all that `*` brings in, from the nearest files that have it."""
        modules = self.lookups.modules
        seen = {path}
        waiting = deque([path])
        while waiting:
            here = waiting.popleft()
            for taken in self.imports_of(here):
                if taken.name != ALL_NAMES:
                    if here != path and taken.alias == parts[0]:
                        self.leaving.add((path, parts))
                        found = self.through(taken, here, parts)
                        if found:
                            return found
                    continue
                for target in modules.files_of(taken.module, modules.language_of(here), here):
                    if target in seen:
                        continue
                    seen.add(target)
                    if self.lookups.defines(target, parts[0]):
                        return [Origin(target, ".".join(parts), True)]
                    waiting.append(target)
        return []

    def through_package(self, path: str, parts: tuple[str, ...]) -> list[Origin]:
        """Return the definition of a name in the other files of its package."""
        modules = self.lookups.modules
        for other in modules.siblings_of(path, modules.language_of(path)):
            if self.lookups.defines(other, parts[0]):
                return [Origin(other, ".".join(parts), True)]
        return []

    def by_whole_path(self, path: str, parts: tuple[str, ...]) -> list[Origin]:
        """Return the origins of a name written with its module, which needs no import where languages allow it."""
        language = self.lookups.modules.language_of(path)
        joint = _JOINTS.get(language)
        if joint is None or language == "python":
            return []
        for count in range(len(parts) - 1, 0, -1):
            taken = ImportedName(joint.join(parts[:count]), parts[count], "")
            found = self.through(taken, path, parts[count:])
            if found:
                return found
        return []
