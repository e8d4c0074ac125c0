"""Which files of the segment a module's spelling means, and what a file's module is called.

Owns the rules by which languages find modules, as far as paths alone tell them: nothing is read. A spelling that ends
like a path of the segment is taken to mean it where a source root can be, and one that does not is taken to be third
party; names that manifests give (`manifests`) come before such guesses. What is spelled is `imports`.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

PACKAGE_LANGUAGES = frozenset({"go", "java", "csharp", "php"})
"""Languages where the files of a directory are one package."""

_FAMILIES = {"typescript": "javascript", "tsx": "javascript", "cpp": "c"}
"""Languages that import one another's files go by one name."""

_SOURCE_ROOTS = frozenset({"", "src", "lib", "python", "source", "sources", "app", "include"})
"""Names of directories that hold a tree of modules and are no part of their names."""
_JVM_ROOTS = frozenset({"java", "kotlin", "scala", "src"})

_ECMASCRIPT_ENDINGS = (
    ".ts",
    ".tsx",
    ".d.ts",
    ".js",
    ".jsx",
    ".mjs",
    ".cjs",
    ".mts",
    ".cts",
    ".json",
    ".vue",
    ".svelte",
)
_ECMASCRIPT_WRITTEN_FOR = {
    ".js": (".ts", ".tsx", ".d.ts", ".jsx"),
    ".jsx": (".tsx",),
    ".mjs": (".mts",),
    ".cjs": (".cts",),
}
"""Compiled names, as imports spell them, and the endings of the sources they are compiled from."""
_ECMASCRIPT_ALIASES = ("@/", "~/", "#/", "$lib/", "~~/", "@@/")
"""What bundlers and frameworks let a path from the project's root begin with."""

_ECMASCRIPT_BUILT = frozenset({"lib", "dist", "out", "build", "es", "esm", "cjs", "umd"})
"""Directories a package's built files are in; what they are built from keeps the rest of the path."""

_INCLUDABLE = (".h", ".hpp", ".hh", ".hxx", ".inc", ".inl", ".ipp", ".tpp", ".def", ".tcc", ".tbl", ".in")

_ALSO_IMPORTED = {"c": _INCLUDABLE, "javascript": ("/package.json",)}
"""Files without a language that a family's imports can mean or are found by."""

_GO_STANDARD = frozenset(
    """archive bufio bytes C cmp compress container context crypto database debug embed encoding errors expvar flag fmt
    go hash html image index io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv
    strings structs sync syscall testing text time unicode unique unsafe weak""".split()
)
_GO_HOST_PARTS = 3
"""`github.com/owner/name` is where a module's path ends and a directory of its tree begins; one part less on others."""
_GO_MAJOR_VERSION = re.compile(r"v\d+")
_RUST_STANDARD = frozenset({"std", "core", "alloc", "proc_macro", "test"})
_BASH_EXPANSION = re.compile(r"\$\{[^{}]*\}|\$\((?:[^()]|\([^()]*\))*\)|\$\w+|\$[@*#?]|`[^`]*`")
_NOT_PACKAGES = frozenset({"", ".", ".."})


class ModuleRoot(NamedTuple):
    """A name that a manifest gives a folder: modules spelled `spelling`, or below it, are in `folder`.

    `language` is one of those that share it (`javascript` for TypeScript too). `entry` is the path, below the folder,
    of the file that the name itself means, "" where the language has a rule for it; a `*` in it stands for what
    follows the name.
    """

    language: str
    spelling: str
    folder: str
    entry: str = ""


class ModuleMap:
    """The modules of a segment's files. Pure and lazy: a language costs nothing before it is first asked for.

    `files` are (path, language) with POSIX paths relative to the segment; files without a language (`text`) are worth
    giving too: they can be imported (JSON) or tell where packages begin (`go.mod`, `package.json`). `segment_name` is
    the name of the segment's own directory, "" when unknown: without `roots` it is the only name of a package whose
    `__init__.py`, `go.mod` or `package.json` lies in the segment itself. `roots` are the names that manifests give.
    """

    def __init__(
        self, files: Iterable[tuple[str, str]], *, segment_name: str = "", roots: Iterable[ModuleRoot] = ()
    ) -> None:
        """Remember the files; indexes are built when first needed."""
        self._segment_name = segment_name
        self._roots = sorted(roots, key=lambda root: -len(root.spelling))
        self._language_of = dict(files)
        self._by_family: dict[str, list[str]] | None = None
        self._trees: dict[str, _Tree] = {}
        self._modules: dict[str, dict[str, list[str]]] = {}
        self._found: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def language_of(self, path: str) -> str:
        """Return the language of a file of the segment, "" for an unknown one."""
        return self._language_of.get(path, "")

    def files_of(self, imported_module: str, language: str, from_path: str) -> tuple[str, ...]:
        """Return the files that `imported_module`, as spelled in `from_path`, can mean, best first.

        A package of Go, Java, C# is all its files, Go's tests left out. Empty for what is not in the segment: the
        standard library, third parties, what is computed at run time.
        """
        find = _FINDERS.get(language)
        if find is None or not imported_module:
            return ()
        folder = from_path.rpartition("/")[0]
        key = (_FAMILIES.get(language, language), imported_module, from_path if language == "rust" else folder)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = tuple(dict.fromkeys(find(self._tree(language), imported_module, from_path)))
        return found

    def must_be_inside(self, imported_module: str, language: str, from_path: str) -> bool:
        """Tell whether a spelling can only mean a file of the segment, whether there is one or not.

        So it is when it is relative and does not climb out, or begins with a package that is in the segment.
        """
        if language == "rust":
            return imported_module.partition("::")[0] in ("crate", "self", "super")
        if not imported_module.startswith("."):
            first, dot, _rest = imported_module.partition(".")
            return language == "python" and bool(dot) and bool(self.files_of(first, language, from_path))
        climbs = imported_module
        if language == "python":
            dots = len(imported_module) - len(imported_module.lstrip("."))
            climbs = "/".join([".", *[".."] * (dots - 1)])
        return _joined(from_path.rpartition("/")[0], climbs) is not None

    def siblings_of(self, path: str, language: str) -> tuple[str, ...]:
        """Return the other files whose names are visible in this one without an import: those of its package.

        Empty in languages where a file is a world of its own. A Go test sees its package's tests, no other file does.
        """
        if language not in PACKAGE_LANGUAGES:
            return ()
        folder = path.rpartition("/")[0]
        sees_tests = language != "go" or path.endswith("_test.go")
        return tuple(
            other
            for other in self._tree(language).in_folder(folder)
            if other != path and (sees_tests or not other.endswith("_test.go"))
        )

    def module_of(self, path: str, language: str) -> str:
        """Return the dotted name of a file's module; never empty for a path that is not.

        Python: `django.db.models.query`, a package by its directory; the name begins below the source root, that is
        above the outermost directory with an `__init__.py`, else below `src`, `lib`, `python`, else at the segment.
        Languages whose packages are directories (Go, Java, C#, PHP) have one name for all files of a directory.
        Elsewhere it is the path below the source root without its ending; Rust's `mod.rs` and ECMAScript's `index`
        go by their directory.
        """
        tree = self._tree(language)
        return ".".join(part for part in _module_parts(tree, path, language) if part)

    def files_of_dotted(self, dotted: str, language: str) -> tuple[str, ...]:
        """Return the files whose module is `dotted`, else those whose module ends with it, best first.

        The inverse of `module_of`; in Python, what an import of the name would find counts as well.
        """
        family = _FAMILIES.get(language, language)
        modules = self._modules.get(family)
        if modules is None:
            modules = self._modules[family] = {}
            for path in self._paths_of(family):
                name = self.module_of(path, self._language_of[path])
                modules.setdefault(name, []).append(path)
                if "." in name:
                    modules.setdefault("." + name.rpartition(".")[2], []).append(path)
        exact = modules.get(dotted)
        if exact is not None:
            return tuple(sorted(exact, key=_shortest))
        if language == "python":
            found = self.files_of(dotted, language, "")
            if found:
                return found
        ending = "." + dotted
        alike = modules.get("." + dotted.rpartition(".")[2], ())
        return tuple(
            sorted(
                (path for path in alike if self.module_of(path, self._language_of[path]).endswith(ending)),
                key=_shortest,
            )
        )

    def _tree(self, language: str) -> _Tree:
        family = _FAMILIES.get(language, language)
        tree = self._trees.get(family)
        if tree is None:
            paths = self._paths_of(family)
            extra = _ALSO_IMPORTED.get(family)
            if extra:
                paths = paths + [path for path in self._paths_of("text") if path.endswith(extra)]
            tree = self._trees[family] = _Tree(
                paths, self._language_of, self._segment_name, [root for root in self._roots if root.language == family]
            )
        return tree

    def _paths_of(self, family: str) -> list[str]:
        if self._by_family is None:
            self._by_family = {}
            for path, language in self._language_of.items():
                self._by_family.setdefault(_FAMILIES.get(language, language), []).append(path)
        return self._by_family.get(family, [])


def _shortest(path: str) -> tuple[int, str]:
    return path.count("/"), path


class _Tree:
    """The files of one family of languages, found by how their paths end."""

    def __init__(
        self, paths: Sequence[str], every_path: dict[str, str], segment_name: str, roots: Sequence[ModuleRoot]
    ) -> None:
        self._paths = paths
        self.every_path = every_path
        self.segment_name = segment_name
        self.roots = roots
        self._by_stem: dict[str, list[str]] | None = None
        self._by_folder: dict[str, list[str]] | None = None
        self._by_folder_name: dict[str, dict[str, list[str]]] = {}
        self._folders_by_name: dict[str, list[str]] | None = None
        self._python_roots_of: dict[str, dict[str, list[str]]] = {}

    def rooted(self, module: str, joint: str) -> Iterator[tuple[ModuleRoot, str]]:
        """Yield the manifests' names that a module begins with, the longest first, and what follows them."""
        for root in self.roots:
            if module == root.spelling:
                yield root, ""
            elif module.startswith(root.spelling + joint):
                yield root, module[len(root.spelling) + len(joint) :]

    def named(self, stem: str) -> Sequence[str]:
        """Return the files of that name, whatever follows its last dot."""
        if self._by_stem is None:
            self._by_stem = {}
            for path in self._paths:
                name = path.rpartition("/")[2]
                self._by_stem.setdefault(name.rpartition(".")[0] or name, []).append(path)
        return self._by_stem.get(stem, ())

    def in_folders_named(self, folder_name: str, stem: str) -> Sequence[str]:
        """Return the files of that stem whose folder has that name."""
        of_stem = self._by_folder_name.get(stem)
        if of_stem is None:
            of_stem = self._by_folder_name[stem] = {}
            for path in self.named(stem):
                of_stem.setdefault(path.rpartition("/")[0].rpartition("/")[2], []).append(path)
        return of_stem.get(folder_name, ())

    def python_roots_of(self, module: str) -> Mapping[str, Sequence[str]]:
        """Return the files whose path ends like an absolute module name, by the folder it would start in."""
        found = self._python_roots_of.get(module)
        if found is None:
            found = self._python_roots_of[module] = {}
            tail = module.replace(".", "/")
            last = tail.rpartition("/")[2]
            for path in (*self.in_folders_named(last, "__init__"), *self.named(last)):
                base = _python_base(path)
                if base == tail or base.endswith("/" + tail):
                    found.setdefault(base[: -len(tail)].rstrip("/"), []).append(path)
            for paths in found.values():
                paths.sort(key=lambda path: path.endswith(".pyi"))
        return found

    def in_folder(self, folder: str) -> Sequence[str]:
        """Return the files directly in a folder, in the order given."""
        return self._folders().get(folder, ())

    def folders_named(self, name: str) -> Sequence[str]:
        """Return the folders that hold files of these languages and whose last part, or last dotted one, is `name`."""
        if self._folders_by_name is None:
            self._folders_by_name = {}
            for folder in self._folders():
                self._folders_by_name.setdefault(re.split(r"[/.]", folder)[-1], []).append(folder)
        return self._folders_by_name.get(name, ())

    def _folders(self) -> dict[str, list[str]]:
        if self._by_folder is None:
            self._by_folder = {}
            for path in self._paths:
                self._by_folder.setdefault(path.rpartition("/")[0], []).append(path)
        return self._by_folder


def _joined(folder: str, relative: str) -> str | None:
    """Return `relative` seen from `folder`, or None when it leads out of the segment."""
    parts = folder.split("/") if folder else []
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in _NOT_PACKAGES:
            parts.append(part)
    return "/".join(parts)


def _under(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _is_within(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")


def _common_parts(one: str, other: str) -> int:
    count = 0
    for a, b in zip(one.split("/"), other.split("/"), strict=False):
        if a != b:
            break
        count += 1
    return count


def _nearest(paths: Iterable[str], from_path: str) -> list[str]:
    """Return the paths that share most of their way with `from_path` first."""
    return sorted(paths, key=lambda path: (-_common_parts(path, from_path), path.count("/"), path))


# Python


def _find_python(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    folder = from_path.rpartition("/")[0]
    if module.startswith("."):
        name = module.lstrip(".")
        for _ in range(len(module) - len(name) - 1):
            if not folder:
                return ()
            folder = folder.rpartition("/")[0]
        return _python_files(tree, _under(folder, name.replace(".", "/")) if name else folder)
    by_root = tree.python_roots_of(module)
    parts = module.split(".")
    is_standard = parts[0] in sys.stdlib_module_names
    if not by_root:
        is_inside = not is_standard and _is_python_package(tree, "")
        return _python_inside_package(tree, parts) if is_inside else ()
    root = own_root = _python_root(tree, folder)
    while root not in by_root or (root != own_root and _python_root(tree, root) != root):
        if is_standard or not root:
            break
        root = root.rpartition("/")[0]
    else:
        return by_root[root]
    if is_standard:
        return ()  # only what a script lies beside, or is itself a part of, comes before the standard library
    found = []
    for root, paths in by_root.items():
        is_usual = root.rpartition("/")[2] in _SOURCE_ROOTS
        # A lone module somewhere else is a script's neighbour, not what `import yaml` means.
        is_likely = is_usual or len(parts) > 1 or _is_python_package(tree, _under(root, parts[0]))
        if is_likely and not _is_within(from_path, root) and _python_root(tree, root) == root:
            found.append((not is_usual, -_common_parts(root, from_path), root, paths))
    return [path for *_, paths in sorted(found) for path in paths]


def _python_base(path: str) -> str:
    """Return the path that stands for the module: without its ending, a package's without its file."""
    base = path.rpartition(".")[0]
    return base.removesuffix("__init__").rstrip("/") if base.endswith("__init__") else base


def _python_files(tree: _Tree, base: str) -> list[str]:
    every = tree.every_path
    names = (_under(base, "__init__.py"), _under(base, "__init__.pyi"), base + ".py", base + ".pyi")
    return [name for name in names if name in every]


def _is_python_package(tree: _Tree, folder: str) -> bool:
    return _under(folder, "__init__.py") in tree.every_path or _under(folder, "__init__.pyi") in tree.every_path


def _python_root(tree: _Tree, folder: str) -> str:
    """Return the folder that a module in `folder` is imported from: the nearest one above that is no package."""
    while folder and _is_python_package(tree, folder):
        folder = folder.rpartition("/")[0]
    return folder


def _python_inside_package(tree: _Tree, parts: Sequence[str]) -> list[str]:
    """Return what an absolute name means when the segment is a package's own directory, or deep inside one."""
    for at in range(1, len(parts)):
        found = _python_files(tree, "/".join(parts[at:]))
        if found:
            return found
    return _python_files(tree, "") if parts[-1] == tree.segment_name else []


# ECMAScript


def _find_ecmascript(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    module = module.partition("?")[0]
    folder = from_path.rpartition("/")[0]
    if module.startswith("."):
        base = _joined(folder, module)
        return _ecmascript_files(tree, base) if base is not None else ()
    if module.startswith("node:"):
        return ()
    for alias in _ECMASCRIPT_ALIASES:
        if module.startswith(alias):
            return _ecmascript_from_root(tree, module[len(alias) :], from_path)
    if module.startswith("/"):
        return _ecmascript_from_root(tree, module[1:], from_path)
    return _ecmascript_package(tree, module, from_path) or (
        _ecmascript_from_root(tree, module, from_path) if "/" in module and not module.startswith("@") else ()
    )


def _ecmascript_files(tree: _Tree, base: str) -> list[str]:
    """Return the files a path without its ending can be: the file itself, its source, a directory's index."""
    every = tree.every_path
    names = [base]
    stem, dot, ending = base.rpartition(".")
    if dot:
        names += [stem + source for source in _ECMASCRIPT_WRITTEN_FOR.get(dot + ending, ())]
    names += [base + ending for ending in _ECMASCRIPT_ENDINGS]
    names += [_under(base, "index" + ending) for ending in _ECMASCRIPT_ENDINGS]
    return [name for name in names if name in every]


def _ecmascript_from_root(tree: _Tree, path: str, from_path: str) -> list[str]:
    """Return the files of a path that starts at some source root above the importer, the nearest root first."""
    folder = from_path
    while folder:
        folder = folder.rpartition("/")[0]
        for root in (folder, _under(folder, "src"), _under(folder, "app"), _under(folder, "lib")):
            found = _ecmascript_files(tree, _under(root, path))
            if found:
                return found
    return []


def _ecmascript_package(tree: _Tree, module: str, from_path: str) -> list[str]:
    """Return the files of a package of this repository's own, known by its manifest or by its directory's name."""
    for root, inside in tree.rooted(module, "/"):
        is_pattern = "*" in root.entry
        if is_pattern and not inside:
            continue
        path = root.entry.replace("*", inside) if is_pattern else inside or root.entry
        found = _ecmascript_inside(tree, root.folder, path)
        if found:
            return found
    parts = module.split("/")
    scoped = 2 if module.startswith("@") else 1
    if len(parts) < scoped:
        return []
    name, inside = parts[scoped - 1], "/".join(parts[scoped:])
    manifests = [*tree.in_folders_named(name, "package")]
    if name == tree.segment_name and "package.json" in tree.every_path:
        manifests.append("package.json")
    for manifest in _nearest(manifests, from_path):
        found = _ecmascript_inside(tree, manifest.rpartition("/")[0], inside)
        if found:
            return found
    return []


def _ecmascript_inside(tree: _Tree, folder: str, inside: str) -> list[str]:
    """Return the files of a path inside a package, or of the source that a built file was made from."""
    inside = _joined("", inside) or ""
    while True:
        for source in (folder, _under(folder, "src"), _under(folder, "lib")):
            found = _ecmascript_files(tree, _under(source, inside) if inside else source)
            if found:
                return found
        built, _, inside = inside.partition("/")
        if not inside or built not in _ECMASCRIPT_BUILT:
            return []


# Go


def _find_go(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    parts = module.split("/")
    rooted = next(tree.rooted(module, "/"), None)
    if rooted is not None:
        folders = [_under(rooted[0].folder, rooted[1]).rstrip("/")]
    elif tree.roots:
        folders = [folder for folder in _folders_ending(tree, parts, separator="/") if "vendor/" in f"{folder}/"]
    elif "." not in parts[0]:
        folders = _folders_ending(tree, parts, separator="/")
        if parts[0] in _GO_STANDARD:
            folders = [f for f in folders if f == module or f.endswith(("src/" + module, "vendor/" + module))]
        if not folders and parts[0] not in _GO_STANDARD and len(parts) > 1:
            folders = _folders_ending(tree, parts[1:], separator="/", whole=True)
    else:
        folders = _folders_ending(tree, parts, separator="/")
        is_forge = parts[0].startswith(("git", "bitbucket"))
        for skipped in (_GO_HOST_PARTS,) if is_forge else (_GO_HOST_PARTS - 1, _GO_HOST_PARTS):
            rest = parts[skipped:]
            if rest and _GO_MAJOR_VERSION.fullmatch(rest[0]):
                del rest[0]
            if rest and not folders:
                folders = _folders_ending(tree, rest, separator="/", whole=True)
        name = next((part for part in reversed(parts) if not _GO_MAJOR_VERSION.fullmatch(part)), "")
        if not folders and name == tree.segment_name:
            folders = [""]
    files = (path for folder in _nearest(folders, from_path)[:1] for path in tree.in_folder(folder))
    return [path for path in files if not path.endswith("_test.go")]


def _folders_ending(tree: _Tree, parts: Sequence[str], *, separator: str, whole: bool = False) -> list[str]:
    """Return the folders whose path ends with these parts, or `whole`: is them."""
    tail = "/".join(parts)
    if whole:
        return [tail] if tree.in_folder(tail) else []
    found = []
    for folder in tree.folders_named(parts[-1]):
        spelled = folder.replace(".", "/") if separator == "." else folder
        if spelled == tail or spelled.endswith("/" + tail):
            found.append(folder)
    return found


# Rust


def _find_rust(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    parts = module.split("::")
    folder = from_path.rpartition("/")[0]
    first = parts[0]
    if first == "crate":
        return _rust_files(tree, _rust_crate(tree, folder), parts[1:])
    if first in ("self", "super"):
        inside = _rust_inside(from_path)
        while parts and parts[0] in ("self", "super"):
            if parts.pop(0) == "super":
                inside = inside.rpartition("/")[0]
        return _rust_files(tree, inside, parts)
    if first in _RUST_STANDARD:
        return ()
    inside = _rust_inside(from_path)
    if _rust_module(tree, _under(inside, first)):
        return _rust_files(tree, inside, parts)
    roots = [root.folder for root in tree.roots if root.spelling == first] or [
        path.rpartition("/")[0]
        for path in (*tree.named("lib"), *tree.named("main"))
        if _rust_crate_name(tree, path) == first
    ]
    return _rust_files(tree, _nearest(roots, from_path)[0], parts[1:]) if roots else ()


def _rust_crate(tree: _Tree, folder: str) -> str:
    """Return the folder of the crate's root module: the nearest one up that holds a `lib.rs` or a `main.rs`."""
    here = folder
    while True:
        if _under(here, "lib.rs") in tree.every_path or _under(here, "main.rs") in tree.every_path:
            return here
        if not here:
            return folder
        here = here.rpartition("/")[0]


def _rust_crate_name(tree: _Tree, root_file: str) -> str:
    """Return what a crate most likely is called: the name of the folder its `src` is in."""
    folder = root_file.rpartition("/")[0].removesuffix("src").rstrip("/")
    return (folder.rpartition("/")[2] or tree.segment_name).replace("-", "_")


def _rust_inside(path: str) -> str:
    """Return the folder a file's submodules are in."""
    folder, _, name = path.rpartition("/")
    return folder if name in ("mod.rs", "lib.rs", "main.rs") else path.removesuffix(".rs")


def _rust_module(tree: _Tree, base: str) -> str:
    for name in (base + ".rs", _under(base, "mod.rs")):
        if name in tree.every_path:
            return name
    return ""


def _rust_files(tree: _Tree, folder: str, parts: Sequence[str]) -> list[str]:
    """Return the file of a module below `folder`, else that of the nearest module around it: it may be inline."""
    for count in range(len(parts), 0, -1):
        found = _rust_module(tree, _under(folder, "/".join(parts[:count])))
        if found:
            return [found]
    own = (_under(folder, "lib.rs"), _under(folder, "main.rs"), _under(folder, "mod.rs"), folder + ".rs")
    return [name for name in own if name in tree.every_path][:1]


# Java, C#, PHP: a path of names that directories repeat


def _find_java(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    parts = module.split(".")
    while parts:
        files = _files_ending(tree, parts, ".java")
        if files:
            return _nearest(files, from_path)
        folders = _folders_ending(tree, parts, separator="/")
        if folders:
            return [path for folder in _nearest(folders, from_path) for path in tree.in_folder(folder)]
        if not parts[-1][:1].isupper():
            break
        parts.pop()  # an inner class is in its outermost class's file
    return ()


def _find_csharp(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    parts = module.split(".")
    folders = _folders_ending(tree, parts, separator=".")
    if folders:
        return [path for folder in _nearest(folders, from_path) for path in tree.in_folder(folder)]
    return _nearest(_files_ending(tree, parts, ".cs", is_dotted=True), from_path)


def _find_php(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    if "/" in module or module.endswith(".php"):
        return _find_by_path(tree, module, from_path, endings=("",), roots=None)
    module = module.strip("\\")
    for root, below in tree.rooted(module, "\\"):
        path = _under(root.folder, below.replace("\\", "/")) + ".php"
        if path in tree.every_path:
            return [path]
    parts = module.split("\\")
    for at in range(len(parts)):
        files = _files_ending(tree, parts[at:], ".php")
        # The mapped prefix of PSR-4 is no part of the path, so what is left over begins at a source root.
        files = [path for path in files if at == 0 or _root_of(path, len(parts) - at) in _SOURCE_ROOTS | {"tests"}]
        if files:
            return _nearest(files, from_path)
    return ()


def _root_of(path: str, parts: int) -> str:
    """Return the name of the folder that the last `parts` parts of a path are in."""
    above = path.split("/")[:-parts]
    return above[-1] if above else ""


def _files_ending(tree: _Tree, parts: Sequence[str], ending: str, *, is_dotted: bool = False) -> list[str]:
    tail = "/".join(parts) + ending
    found = []
    for path in tree.named(parts[-1]):
        spelled = path.removesuffix(ending).replace(".", "/") + ending if is_dotted else path
        if spelled == tail or spelled.endswith("/" + tail):
            found.append(path)
    return found


# C, C++, Ruby, Bash: a path


def _find_c(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    is_angled = module.startswith("<")
    return _find_by_path(
        tree,
        module.strip("<>"),
        from_path,
        endings=("",),
        roots=_SOURCE_ROOTS if is_angled else None,
        beside=not is_angled,
    )


def _find_ruby(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    return _find_by_path(tree, module, from_path, endings=(".rb", ""), roots=_SOURCE_ROOTS | {"test", "spec", "ext"})


def _find_bash(tree: _Tree, module: str, from_path: str) -> Iterable[str]:
    literal = _BASH_EXPANSION.sub("\0", module)
    tail = literal.rpartition("\0")[2].lstrip("/") if "\0" in literal else literal.lstrip("/")
    return _find_by_path(tree, tail, from_path, endings=("", ".bash", ".sh"), roots=None) if tail else ()


def _find_by_path(
    tree: _Tree,
    path: str,
    from_path: str,
    *,
    endings: Sequence[str],
    roots: frozenset[str] | None,
    beside: bool = True,
) -> list[str]:
    """Return the files a path can mean: beside the importer, else wherever a path ends with it, the nearest first.

    `roots`: the names of the folders it may start in, None for any.
    """
    every = tree.every_path
    if beside:
        joined = _joined(from_path.rpartition("/")[0], path)
        for ending in endings if joined else ():
            if f"{joined}{ending}" in every:
                return [f"{joined}{ending}"]
        if path.startswith(("./", "../")):
            path = path.rpartition("../")[2].removeprefix("./") if roots is None else ""
    tail = _joined("", path) if path else ""
    if not tail:
        return []
    parts = tail.count("/") + 1
    name = tail.rpartition("/")[2]
    found = []
    for candidate in {*tree.named(name), *tree.named(name.rpartition(".")[0] or name)}:
        for ending in endings:
            spelled = tail + ending
            if candidate == spelled or (
                candidate.endswith("/" + spelled) and (roots is None or _root_of(candidate, parts) in roots)
            ):
                found.append(candidate)
                break
    return _nearest(found, from_path)


def _module_parts(tree: _Tree, path: str, language: str) -> Sequence[str]:
    if language == "python":
        return _python_module_parts(tree, path)
    parts = path.split("/")
    folders, name = parts[:-1], parts[-1]
    if language in PACKAGE_LANGUAGES:
        roots = _JVM_ROOTS if language == "java" else _SOURCE_ROOTS
        below = _below_root(folders, roots) if language != "go" else folders
        return [part for folder in below or folders for part in folder.split(".")] or [tree.segment_name or "main"]
    below = _below_root(folders, _SOURCE_ROOTS)
    stem = name.rpartition(".")[0] or name
    if (language == "rust" and stem == "mod") or (
        _FAMILIES.get(language, language) == "javascript" and stem == "index"
    ):
        return below or [stem]
    return [*below, *stem.split(".")]


def _python_module_parts(tree: _Tree, path: str) -> list[str]:
    base = _python_base(path)
    folder = base.rpartition("/")[0]
    if not base:
        return [tree.segment_name or "__init__"]
    if not _is_python_package(tree, folder):
        return [*_below_root(folder.split("/") if folder else [], _SOURCE_ROOTS), base.rpartition("/")[2]]
    root = _python_root(tree, folder)
    parts = base[len(root) :].strip("/").split("/")
    return [tree.segment_name, *parts] if not root and _is_python_package(tree, "") else parts


def _below_root(folders: Sequence[str], roots: frozenset[str]) -> list[str]:
    """Return what follows the last folder that is a source root by its name, all of it when there is none."""
    for at in range(len(folders), 0, -1):
        if folders[at - 1] in roots:
            return list(folders[at:])
    return list(folders)


_FINDERS: dict[str, Callable[[_Tree, str, str], Iterable[str]]] = {
    "python": _find_python,
    "javascript": _find_ecmascript,
    "typescript": _find_ecmascript,
    "tsx": _find_ecmascript,
    "go": _find_go,
    "rust": _find_rust,
    "java": _find_java,
    "c": _find_c,
    "cpp": _find_c,
    "ruby": _find_ruby,
    "php": _find_php,
    "csharp": _find_csharp,
    "bash": _find_bash,
}
