"""Files are told by their names and imports by the words that may name a file."""

from __future__ import annotations

import pytest

from ctx.domain.imported_names import FILE_IMPORT_LANGUAGES, importable_name, imported_names


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("pkg/query.py", "query"),
        ("query.py", "query"),
        ("pkg/__init__.py", "pkg"),
        ("pkg/__main__.py", "pkg"),
        ("src/store/index.ts", "store"),
        ("src/button.test.tsx", "button"),
        ("types/shop.d.ts", "shop"),
        ("__init__.py", ""),
    ],
)
def test_a_file_goes_by_its_stem_or_by_the_folder_it_stands_for(path: str, name: str) -> None:
    """Everything from the first dot on is ending."""
    assert name == importable_name(path)


@pytest.mark.parametrize(
    ("language", "statement", "names"),
    [
        ("python", "import a.b.c", ("c",)),
        ("python", "from a.b import c, d as e", ("b", "c", "d")),
        ("python", "from . import sibling", ("sibling",)),
        ("python", "from ..pkg.mod import *", ("mod",)),
        ("javascript", "import './styles/main.js'", ("main",)),
        ("javascript", "const { a } = require('../lib/store')", ("store", "a")),
        ("typescript", "import type { Shop } from '@scope/shop.mts'", ("shop", "Shop")),
        ("tsx", "export * from './button'", ("button",)),
        ("javascript", "import css from './theme.css'", ("css", "default")),
        ("javascript", "import x from 'js'", ("js", "default")),
        ("python", "no import at all", ()),
        ("go", 'import "net/http"', ()),
        ("text", "import a", ()),
    ],
)
def test_an_import_names_modules_by_their_last_part_and_what_it_takes(
    language: str, statement: str, names: tuple[str, ...]
) -> None:
    """An ending of source code is no part of a module's name; other languages join their files by other means."""
    assert names == imported_names(language, statement)


@pytest.mark.parametrize(
    ("importing", "language", "path"),
    [
        ("from shop.models import Order", "python", "shop/models.py"),
        ("from shop import models", "python", "shop/models.py"),
        ("import shop.models", "python", "shop/models/__init__.py"),
        ("import { a } from '../store/index.js'", "javascript", "src/store/index.js"),
        ("import shop.__main__", "python", "shop/__main__.py"),
        ("export { b } from './store'", "typescript", "src/store/index.ts"),
    ],
)
def test_a_file_that_is_imported_is_never_taken_for_one_that_is_not(importing: str, language: str, path: str) -> None:
    """The words of the import hold the file's name, whichever of its forms is written."""
    assert language in FILE_IMPORT_LANGUAGES
    assert importable_name(path) in imported_names(language, importing)
