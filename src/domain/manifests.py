"""The names that manifests give to folders of the segment: Go modules, packages, crates, mapped paths and namespaces.

Owns what is read from a manifest's text; `module_map` says what the names are good for. A manifest that cannot be
read gives none: names are then guessed from paths, as they are where there is no manifest.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .module_map import ModuleRoot

if TYPE_CHECKING:
    from collections.abc import Iterator

_MANIFEST = re.compile(r"(?:^|/)(?:go\.mod|package\.json|[tj]sconfig(?:\.[\w.-]+)?\.json|composer\.json|Cargo\.toml)$")

_CONDITIONS = ("source", "import", "node", "default", "require", "browser")
"""Conditions of an export, those that lead to code before those that lead to declarations."""
_CONDITIONS_MAX = 8
_GO_MODULE = re.compile(r'^\s*module\s+"?([^\s"]+)', re.MULTILINE)
_JSON_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_JSON_LAST_COMMA = re.compile(r'"(?:\\.|[^"\\])*"|,(?=\s*[}\]])', re.DOTALL)


def is_manifest(path: str) -> bool:
    """Tell by its path whether a file is worth reading for `roots_of_manifest`."""
    return _MANIFEST.search(path) is not None


def roots_of_manifest(path: str, text: str) -> tuple[ModuleRoot, ...]:
    """Return the names a manifest gives, by its file name and text; empty for any other file and for broken text.

    `path` is relative to the segment, as are the folders returned. Never raises.
    """
    folder, _, name = path.rpartition("/")
    match name:
        case "go.mod":
            found = _GO_MODULE.search(text)
            return (ModuleRoot("go", found[1], folder),) if found is not None else ()
        case "Cargo.toml":
            return tuple(_of_cargo(folder, text))
        case "package.json":
            return tuple(_of_package(folder, _json_object(text)))
        case "composer.json":
            return tuple(_of_composer(folder, _json_object(text)))
    return tuple(_of_tsconfig(folder, _json_object(text))) if is_manifest(path) else ()


def _json_object(text: str) -> dict[str, Any]:
    """Return the object of a JSON text, comments and commas at ends forgiven; empty for what is none."""
    for forgiven in (_JSON_COMMENT, _JSON_LAST_COMMA):
        text = forgiven.sub(lambda found: found[0] if found[0].startswith('"') else "", text)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _inside(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        value = content.get(key)
        content = value if isinstance(value, dict) else {}
    return content


def _of_package(folder: str, content: dict[str, Any]) -> Iterator[ModuleRoot]:
    name = content.get("name")
    if not isinstance(name, str) or not name:
        return
    exports = content.get("exports")
    for spelling, target in exports.items() if isinstance(exports, dict) else ():
        entry = _built_file(target)
        if spelling.startswith(".") and entry:
            yield ModuleRoot("javascript", (name + spelling[1:]).removesuffix("/*"), folder, entry)
    entries = (_built_file(content.get(key)) for key in ("source", "module", "main"))
    yield ModuleRoot("javascript", name, folder, next(filter(None, entries), ""))


def _built_file(target: object) -> str:
    """Return the file an export leads to, whatever the conditions it is under; "" for none."""
    for _ in range(_CONDITIONS_MAX):
        if not isinstance(target, dict):
            break
        target = next((target[key] for key in _CONDITIONS if key in target), next(iter(target.values()), ""))
    return target if isinstance(target, str) else ""


def _of_tsconfig(folder: str, content: dict[str, Any]) -> Iterator[ModuleRoot]:
    """Yield the mapped paths: `"@app/*": ["./src/*"]` maps what is below, `"@app": ["./src/index.ts"]` one name."""
    options = _inside(content, "compilerOptions")
    base = options.get("baseUrl")
    for spelling, targets in _inside(options, "paths").items():
        for target in targets if isinstance(targets, list) else ():
            if not isinstance(target, str) or spelling.removesuffix("/*") in ("", "*"):
                continue
            place = _joined(folder, base if isinstance(base, str) else "")
            yield ModuleRoot("javascript", spelling.removesuffix("/*"), place, target)


def _of_composer(folder: str, content: dict[str, Any]) -> Iterator[ModuleRoot]:
    """Yield the namespaces mapped to folders as PSR-4 has them."""
    for section in ("autoload", "autoload-dev"):
        for namespace, places in _inside(content, section, "psr-4").items():
            for place in places if isinstance(places, list) else [places]:
                if isinstance(place, str) and namespace.strip("\\"):
                    yield ModuleRoot("php", namespace.strip("\\"), _joined(folder, place))


def _of_cargo(folder: str, text: str) -> Iterator[ModuleRoot]:
    import tomllib  # late: most trees have no crate

    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    library = _inside(content, "lib")
    name = library.get("name") or _inside(content, "package").get("name")
    if isinstance(name, str) and name:
        path = library.get("path")
        source = _joined(folder, path).rpartition("/")[0] if isinstance(path, str) else _joined(folder, "src")
        yield ModuleRoot("rust", name.replace("-", "_"), source)


def _joined(*parts: str) -> str:
    """Return the parts as one path without `.` and `..`; what leads out of the segment stays at its top."""
    path: list[str] = []
    for part in "/".join(parts).split("/"):
        if part == "..":
            del path[-1:]
        elif part not in ("", "."):
            path.append(part)
    return "/".join(path)
