"""The names that manifests give, and what they are good for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.manifests import is_manifest, roots_of_manifest
from ctx.domain.module_map import ModuleMap, ModuleRoot
from ctx.infrastructure.languages import language_of


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("go.mod", "module github.com/urfave/cli/v3\n\ngo 1.22\n", [("go", "github.com/urfave/cli/v3", "", "")]),
        ("docs/go.mod", '// why\nmodule "example.org/docs"\n', [("go", "example.org/docs", "docs", "")]),
        ("go.mod", "go 1.22\n", []),
        ("Cargo.toml", '[package]\nname = "my-tool"\n', [("rust", "my_tool", "src", "")]),
        (
            "core/Cargo.toml",
            '[package]\nname = "x"\n[lib]\nname = "_x"\npath = "rs/lib.rs"\n',
            [("rust", "_x", "core/rs", "")],
        ),
        ("Cargo.toml", '[workspace]\nmembers = ["core"]\n', []),
        ("Cargo.toml", "[package\n", []),
        (
            "package.json",
            '{"name": "redux", "main": "dist/cjs/redux.cjs"}',
            [("javascript", "redux", "", "dist/cjs/redux.cjs")],
        ),
        ("package.json", '{"private": true}', []),
        ("package.json", "[1]", []),
        ("package.json", "{", []),
        (
            "p/package.json",
            """{"name": "@s/p", "exports": {".": {"types": "./lib/a.d.ts", "default": "./lib/a.js"}, "./t/*": "./lib/*",
            "./no": null, "require": "./x.js"}}""",
            [
                ("javascript", "@s/p", "p", "./lib/a.js"),
                ("javascript", "@s/p/t", "p", "./lib/*"),
                ("javascript", "@s/p", "p", ""),
            ],
        ),
        (
            "tsconfig.base.json",
            """{ // paths
            "compilerOptions": {"baseUrl": "./app", "paths": {"@i/*": ["./src/*",], "one": ["./src/one.ts"],
            "*": ["x/*"], "odd": 3, "odder": [4]}}, /* " */ }""",
            [("javascript", "@i", "app", "./src/*"), ("javascript", "one", "app", "./src/one.ts")],
        ),
        ("tsconfig.json", '{"extends": "./base"}', []),
        (
            "lib/composer.json",
            r"""{"autoload": {"psr-4": {"A\\B\\": "src/", "C\\": ["x", "../y"], "": "z"}},
            "autoload-dev": {"psr-4": {"T\\": ""}}}""",
            [("php", "A\\B", "lib/src", ""), ("php", "C", "lib/x", ""), ("php", "C", "y", ""), ("php", "T", "lib", "")],
        ),
        ("other.json", '{"name": "x"}', []),
        ("README.md", "module x", []),
    ],
)
def test_names_of_folders(path: str, text: str, expected: list[tuple[str, str, str, str]]) -> None:
    """What is read of each kind, and that what cannot be read gives nothing."""
    assert tuple(expected) == roots_of_manifest(path, text)
    assert is_manifest(path) or not expected


@pytest.mark.parametrize("path", ["go.mod", "a/package.json", "tsconfig.build.json", "a/jsconfig.json", "Cargo.toml"])
def test_manifests_go_by_their_file_names(path: str) -> None:
    """A name that only ends so is another file."""
    assert is_manifest(path)
    assert not is_manifest(f"{path}.bak")
    assert not is_manifest(path.replace("json", "jsn").replace("go.mod", "cargo.mod").replace("toml", "tml"))


@pytest.mark.parametrize(
    ("roots", "language", "module", "expected"),
    [
        ([("go", "example.org/cli", "")], "go", "example.org/cli", ["main.go"]),
        ([("go", "example.org/cli", "")], "go", "example.org/cli/assert", ["assert/a.go"]),
        ([("go", "example.org/cli", "")], "go", "github.com/stretchr/testify/assert", []),
        ([("go", "example.org/cli", "")], "go", "github.com/x/kept", ["vendor/github.com/x/kept/k.go"]),
        ([], "go", "github.com/stretchr/testify/assert", ["assert/a.go"]),
        (
            [("javascript", "the-core", "packages/core", "./lib/umd/main.js")],
            "tsx",
            "the-core",
            ["packages/core/src/main.ts"],
        ),
        (
            [("javascript", "the-core", "packages/core", "")],
            "typescript",
            "the-core/node",
            ["packages/core/src/node.ts"],
        ),
        (
            [("javascript", "the-core/t", "packages/core", "./lib/*")],
            "typescript",
            "the-core/t/node",
            ["packages/core/src/node.ts"],
        ),
        ([("javascript", "the-core/t", "packages/core", "./lib/*")], "typescript", "the-core/t", []),
        ([("javascript", "@i", "", "./packages/core/src/*")], "javascript", "@i/node", ["packages/core/src/node.ts"]),
        ([("javascript", "the-core", "packages/core", "")], "typescript", "the-corex/node", []),
        ([("php", "League\\Lib", "code")], "php", "League\\Lib\\Url\\Maker", ["code/Url/Maker.php"]),
        ([("rust", "tool", "crates/t/src")], "rust", "tool::args", ["crates/t/src/args.rs"]),
    ],
)
def test_a_manifests_name_comes_before_guesses(
    roots: list[tuple[str, ...]], language: str, module: str, expected: list[str]
) -> None:
    """With a Go module's name known, what only ends like a folder is somebody else's."""
    paths = [
        "main.go",
        "assert/a.go",
        "vendor/github.com/x/kept/k.go",
        "packages/core/src/main.ts",
        "packages/core/src/node.ts",
        "code/Url/Maker.php",
        "crates/t/src/lib.rs",
        "crates/t/src/args.rs",
        "use.txt",
    ]
    modules = ModuleMap([(path, language_of(path)) for path in paths], roots=[ModuleRoot(*root) for root in roots])
    assert tuple(expected) == modules.files_of(module, language, "use.txt")


_values = st.recursive(
    st.none() | st.integers() | st.sampled_from(["", "x", "./a/*", "../..", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "exports", ".", "./*", "compilerOptions", "paths", "autoload", "psr-4", "main", "lib"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(["go.mod", "Cargo.toml", "a/package.json", "tsconfig.json", "composer.json"]),
    st.text(max_size=60) | _values.map(json.dumps),
)
def test_no_manifest_is_too_odd(path: str, text: str) -> None:
    """Nothing is raised, and what is given has a name and a folder inside the segment."""
    for root in roots_of_manifest(path, text):
        assert root.spelling
        assert not root.folder.startswith(("/", ".."))
