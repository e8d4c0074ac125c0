"""Which files a module's spelling means, in trees of every language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.module_map import ModuleMap
from ctx.infrastructure.languages import LANGUAGES, language_of

_NAMES = [row.name for row in LANGUAGES]


def a_map(*paths: str, segment_name: str = "") -> ModuleMap:
    return ModuleMap([(path, language_of(path)) for path in paths], segment_name=segment_name)


_PACKAGE = a_map(
    "pkg/__init__.py",
    "pkg/a.py",
    "pkg/a.pyi",
    "pkg/stub.pyi",
    "pkg/logging.py",
    "pkg/sub/__init__.py",
    "pkg/sub/b.py",
    "pkg/sub/deep/c.py",
    "scripts/run.py",
    "scripts/helper.py",
    "scripts/json.py",
    "tests/conftest.py",
    "tests/helpers.py",
    "tests/unit/test_a.py",
    "docs/yaml.py",
)


@pytest.mark.parametrize(
    ("module", "from_path", "expected"),
    [
        ("pkg", "tests/unit/test_a.py", ["pkg/__init__.py"]),
        ("pkg.a", "tests/unit/test_a.py", ["pkg/a.py", "pkg/a.pyi"]),
        ("pkg.stub", "pkg/a.py", ["pkg/stub.pyi"]),
        ("pkg.sub.b", "pkg/a.py", ["pkg/sub/b.py"]),
        ("pkg.sub.deep.c", "pkg/a.py", ["pkg/sub/deep/c.py"]),
        (".", "pkg/a.py", ["pkg/__init__.py"]),
        (".", "pkg/__init__.py", ["pkg/__init__.py"]),
        (".a", "pkg/__init__.py", ["pkg/a.py", "pkg/a.pyi"]),
        ("..a", "pkg/sub/b.py", ["pkg/a.py", "pkg/a.pyi"]),
        ("...a", "pkg/sub/b.py", []),
        (".....a", "pkg/sub/b.py", []),
        (".b", "pkg/sub/__init__.py", ["pkg/sub/b.py"]),
        (".nothing", "pkg/a.py", []),
        ("logging", "pkg/a.py", []),
        ("a", "pkg/sub/b.py", []),
        ("json", "pkg/a.py", []),
        ("json", "scripts/run.py", ["scripts/json.py"]),
        ("helper", "scripts/run.py", ["scripts/helper.py"]),
        ("helpers", "tests/unit/test_a.py", ["tests/helpers.py"]),
        ("tests.helpers", "tests/unit/test_a.py", ["tests/helpers.py"]),
        ("yaml", "pkg/a.py", []),
        ("requests", "pkg/a.py", []),
        ("pkg.nothing", "pkg/a.py", []),
    ],
)
def test_python_imports(module: str, from_path: str, expected: list[str]) -> None:
    """Dots, packages, stubs, folders without `__init__`, scripts; the standard library is not shadowed by a package."""
    assert tuple(expected) == _PACKAGE.files_of(module, "python", from_path)


@pytest.mark.parametrize(
    ("paths", "module", "from_path", "expected"),
    [
        (["src/pkg/__init__.py", "src/pkg/a.py", "tests/test_a.py"], "pkg.a", "tests/test_a.py", ["src/pkg/a.py"]),
        (["src/ns/pkg/a.py", "tests/test_a.py"], "ns.pkg.a", "tests/test_a.py", ["src/ns/pkg/a.py"]),
        (["one/src/m.py", "two/src/m.py", "two/t.py"], "m", "two/t.py", ["two/src/m.py", "one/src/m.py"]),
        (["a/p/__init__.py", "b/p/__init__.py", "b/x/t.py"], "p", "b/x/t.py", ["b/p/__init__.py"]),
        (
            ["Lib/asyncio/__init__.py", "Lib/asyncio/x.py", "Lib/json/__init__.py"],
            "json",
            "Lib/asyncio/x.py",
            ["Lib/json/__init__.py"],
        ),
        (["__init__.py", "db/__init__.py", "db/models.py"], "django.db.models", "db/__init__.py", ["db/models.py"]),
        (["__init__.py", "db/__init__.py", "path.py"], "os.path", "db/__init__.py", []),
        (["__init__.py", "db/__init__.py"], "django", "db/__init__.py", ["__init__.py"]),
        (["__init__.py", "db/__init__.py"], "other", "db/__init__.py", []),
        (["pkg/__init__.py", "pkg/tool/run.py", "pkg/tool/own.py"], "own", "pkg/tool/run.py", ["pkg/tool/own.py"]),
    ],
)
def test_python_source_roots(paths: list[str], module: str, from_path: str, expected: list[str]) -> None:
    """The importer's own root first, then those above it, then the usual ones; inside a package none begins."""
    assert tuple(expected) == a_map(*paths, segment_name="django").files_of(module, "python", from_path)


_WEB = a_map(
    "package.json",
    "index.js",
    "lib/express.js",
    "lib/view.jsx",
    "lib/router/index.ts",
    "src/types.ts",
    "src/store.tsx",
    "src/decl.d.ts",
    "src/data.json",
    "src/App.css",
    "src/app.module.ts",
    "src/components/Link.vue",
    "packages/core/package.json",
    "packages/core/src/index.ts",
    "packages/core/node.js",
    "packages/ui/src/button.ts",
    segment_name="web",
)


@pytest.mark.parametrize(
    ("module", "from_path", "expected"),
    [
        ("./lib/express", "index.js", ["lib/express.js"]),
        ("..", "lib/express.js", ["index.js"]),
        ("../", "lib/express.js", ["index.js"]),
        ("../..", "lib/express.js", []),
        ("./router", "lib/express.js", ["lib/router/index.ts"]),
        ("./view", "lib/express.js", ["lib/view.jsx"]),
        ("./types.js", "src/store.tsx", ["src/types.ts"]),
        ("./store.js", "src/types.ts", ["src/store.tsx"]),
        ("./decl", "src/types.ts", ["src/decl.d.ts"]),
        ("./data.json", "src/types.ts", ["src/data.json"]),
        ("./App.css?inline", "src/types.ts", ["src/App.css"]),
        ("./app.module", "src/types.ts", ["src/app.module.ts"]),
        ("@/components/Link", "src/types.ts", ["src/components/Link.vue"]),
        ("~/types", "packages/ui/src/button.ts", ["src/types.ts"]),
        ("components/Link", "src/types.ts", ["src/components/Link.vue"]),
        ("/src/types", "lib/express.js", ["src/types.ts"]),
        ("core", "packages/ui/src/button.ts", ["packages/core/src/index.ts"]),
        ("@scope/core", "packages/ui/src/button.ts", ["packages/core/src/index.ts"]),
        ("@scope/core/node", "packages/ui/src/button.ts", ["packages/core/node.js"]),
        ("web", "packages/ui/src/button.ts", ["index.js"]),
        ("web/lib/express", "packages/ui/src/button.ts", ["lib/express.js"]),
        ("@scope", "index.js", []),
        ("react", "src/types.ts", []),
        ("node:path", "src/types.ts", []),
        ("lodash/fp", "src/types.ts", []),
        ("@other/types", "src/types.ts", []),
    ],
)
def test_ecmascript_imports(module: str, from_path: str, expected: list[str]) -> None:
    """Endings left out, `.js` written for `.ts`, directories, paths from a root, the repository's own packages."""
    for language in ("javascript", "typescript", "tsx"):
        assert tuple(expected) == _WEB.files_of(module, language, from_path)


_GO = a_map(
    "main.go",
    "main_test.go",
    "internal/x/a.go",
    "internal/x/b.go",
    "internal/x/a_test.go",
    "http/s.go",
    segment_name="cli",
)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("github.com/urfave/cli/v3/internal/x", ["internal/x/a.go", "internal/x/b.go"]),
        ("example.org/x/internal/x", ["internal/x/a.go", "internal/x/b.go"]),
        ("mine/internal/x", ["internal/x/a.go", "internal/x/b.go"]),
        ("github.com/urfave/cli/v3", ["main.go"]),
        ("github.com/other/tool", []),
        ("net/http", []),
        ("fmt", []),
    ],
)
def test_go_imports(module: str, expected: list[str]) -> None:
    """A package is the files of its directory, tests left out; the standard library is not what ends like it."""
    assert tuple(expected) == _GO.files_of(module, "go", "main.go")


def test_go_vendored_standard_names() -> None:
    """A tree that is the standard library, or carries some of it, has it under src or vendor."""
    tree = a_map("src/net/http/server.go", "cmd/main.go")
    assert ("src/net/http/server.go",) == tree.files_of("net/http", "go", "cmd/main.go")


_RUST = a_map(
    "core/Cargo.toml",
    "core/src/lib.rs",
    "core/src/a.rs",
    "core/src/a/b.rs",
    "core/src/c/mod.rs",
    "core/src/c/d.rs",
    "core/tests/it.rs",
    "my-tool/src/main.rs",
    "my-tool/src/args.rs",
)


@pytest.mark.parametrize(
    ("module", "from_path", "expected"),
    [
        ("crate", "core/src/a/b.rs", ["core/src/lib.rs"]),
        ("crate::a", "core/src/c/d.rs", ["core/src/a.rs"]),
        ("crate::a::b", "core/src/c/d.rs", ["core/src/a/b.rs"]),
        ("crate::c", "core/src/a.rs", ["core/src/c/mod.rs"]),
        ("crate::a::inline::deep", "core/src/lib.rs", ["core/src/a.rs"]),
        ("crate::Item", "core/src/a.rs", ["core/src/lib.rs"]),
        ("self::b", "core/src/a.rs", ["core/src/a/b.rs"]),
        ("b", "core/src/a.rs", ["core/src/a/b.rs"]),
        ("super", "core/src/a/b.rs", ["core/src/a.rs"]),
        ("super::super::c::d", "core/src/a/b.rs", ["core/src/c/d.rs"]),
        ("super::d", "core/src/c/mod.rs", ["core/src/lib.rs"]),
        ("core::fmt", "core/src/a.rs", []),
        ("std::io", "core/src/a.rs", []),
        ("serde::ser", "core/src/a.rs", []),
        ("my_tool::args", "core/tests/it.rs", ["my-tool/src/args.rs"]),
        ("crate::args", "my-tool/src/main.rs", ["my-tool/src/args.rs"]),
    ],
)
def test_rust_imports(module: str, from_path: str, expected: list[str]) -> None:
    """From the crate's root, from here, from above, from another crate of the workspace; the rest is inline."""
    assert tuple(expected) == _RUST.files_of(module, "rust", from_path)


_NAMED = a_map(
    "m/src/main/java/com/x/A.java",
    "m/src/main/java/com/x/B.java",
    "m/src/test/java/com/x/ATest.java",
    "src/Acme/Core/Thing.cs",
    "src/Acme.Web/Routes/R.cs",
    "src/Url/Maker.php",
    "src/Config.php",
    "legacy/a.php",
    "bin/run.php",
)


@pytest.mark.parametrize(
    ("language", "module", "expected"),
    [
        ("java", "com.x.A", ["m/src/main/java/com/x/A.java"]),
        ("java", "com.x.A.Inner", ["m/src/main/java/com/x/A.java"]),
        (
            "java",
            "com.x",
            ["m/src/main/java/com/x/A.java", "m/src/main/java/com/x/B.java", "m/src/test/java/com/x/ATest.java"],
        ),
        ("java", "java.util", []),
        ("java", "java.util.Map", []),
        ("csharp", "Acme.Core", ["src/Acme/Core/Thing.cs"]),
        ("csharp", "Acme.Web.Routes", ["src/Acme.Web/Routes/R.cs"]),
        ("csharp", "Acme.Core.Thing", ["src/Acme/Core/Thing.cs"]),
        ("csharp", "System.Core", []),
        ("php", "League\\Lib\\Url\\Maker", ["src/Url/Maker.php"]),
        ("php", "\\League\\Lib\\Config", ["src/Config.php"]),
        ("php", "League\\Lib\\Missing", []),
        ("php", "../legacy/a.php", ["legacy/a.php"]),
        ("php", "legacy/a.php", ["legacy/a.php"]),
    ],
)
def test_names_that_directories_repeat(language: str, module: str, expected: list[str]) -> None:
    """Packages, namespaces in dotted directories, the mapped prefix of a PHP namespace."""
    assert tuple(expected) == _NAMED.files_of(module, language, "bin/run.php")


_PATHS = a_map(
    "include/db/status.h",
    "db/impl.cc",
    "db/impl.h",
    "util/string.h",
    "util/table.inc",
    "lib/rack.rb",
    "lib/rack/utils.rb",
    "lib/time.rb",
    "vendor/set.rb",
    "test/spec_utils.rb",
    "test/helper.rb",
    "tools/run.sh",
    "tools/common.sh",
    "lib/bats/fmt.bash",
)


@pytest.mark.parametrize(
    ("language", "module", "from_path", "expected"),
    [
        ("cpp", "impl.h", "db/impl.cc", ["db/impl.h"]),
        ("c", "../util/table.inc", "db/impl.cc", ["util/table.inc"]),
        ("cpp", "db/status.h", "db/impl.cc", ["include/db/status.h"]),
        ("cpp", "<db/status.h>", "db/impl.cc", ["include/db/status.h"]),
        ("cpp", "<string.h>", "db/impl.cc", []),
        ("cpp", "string.h", "db/impl.cc", ["util/string.h"]),
        ("cpp", "../../../x.h", "db/impl.cc", []),
        ("ruby", "rack/utils", "test/spec_utils.rb", ["lib/rack/utils.rb"]),
        ("ruby", "rack", "test/spec_utils.rb", ["lib/rack.rb"]),
        ("ruby", "./helper", "test/spec_utils.rb", ["test/helper.rb"]),
        ("ruby", "../lib/rack.rb", "test/spec_utils.rb", ["lib/rack.rb"]),
        ("ruby", "../rack", "test/spec_utils.rb", []),
        ("ruby", "set", "test/spec_utils.rb", []),
        ("bash", "./common.sh", "tools/run.sh", ["tools/common.sh"]),
        ("bash", "$(dirname $0)/common.sh", "tools/run.sh", ["tools/common.sh"]),
        ("bash", "$ROOT/$LIB/bats/fmt.bash", "tools/run.sh", ["lib/bats/fmt.bash"]),
        ("bash", "${0%/*}/common", "tools/run.sh", ["tools/common.sh"]),
        ("bash", "$FILE", "tools/run.sh", []),
        ("bash", "/etc/profile", "tools/run.sh", []),
    ],
)
def test_paths_as_modules(language: str, module: str, from_path: str, expected: list[str]) -> None:
    """Beside the importer first; else where a path ends so, in angle brackets and Ruby only below a source root."""
    assert tuple(expected) == _PATHS.files_of(module, language, from_path)


@pytest.mark.parametrize(
    ("paths", "segment_name", "expected"),
    [
        (["django/__init__.py", "django/db/__init__.py", "django/db/query.py"], "", "django.db.query"),
        (["src/pkg/__init__.py", "src/pkg/a.py"], "", "pkg.a"),
        (["pkg/__init__.py"], "", "pkg"),
        (["__init__.py", "db/__init__.py", "db/query.py"], "django", "django.db.query"),
        (["__init__.py", "db/__init__.py", "db/query.py"], "", "db.query"),
        (["__init__.py"], "django", "django"),
        (["__init__.py"], "", "__init__"),
        (["tests/app/__init__.py", "tests/app/models.py"], "", "app.models"),
        (["src/ns/a.py"], "", "ns.a"),
        (["tools/run.py"], "", "tools.run"),
        (["lib/express.js"], "", "express"),
        (["lib/router/index.js"], "", "router"),
        (["index.js"], "", "index"),
        (["packages/core/src/a/b.ts"], "", "a.b"),
        (["internal/x/a.go"], "", "internal.x"),
        (["main.go"], "cli", "cli"),
        (["main.go"], "", "main"),
        (["core/src/a/b.rs"], "", "a.b"),
        (["core/src/c/mod.rs"], "", "c"),
        (["core/src/lib.rs"], "", "lib"),
        (["m/src/main/java/com/x/A.java"], "", "com.x"),
        (["src/Acme.Web/R.cs"], "", "Acme.Web"),
        (["util/arena.cc"], "", "util.arena"),
        (["lib/rack/utils.rb"], "", "rack.utils"),
        (["tools/run.sh"], "", "tools.run"),
        (["Makefile.d/run"], "", "Makefile.d.run"),
    ],
)
def test_the_name_of_a_files_module(paths: list[str], segment_name: str, expected: str) -> None:
    """It begins below the source root and leads back to the file."""
    modules = a_map(*paths, segment_name=segment_name)
    path = paths[-1]
    assert expected == modules.module_of(path, language_of(path))
    assert path in modules.files_of_dotted(expected, language_of(path))


def test_a_dotted_name_that_no_module_has_means_those_that_end_with_it() -> None:
    """What a person leaves off the front is found; the shortest path first, an exact name before all."""
    modules = a_map(
        "pkg/__init__.py", "pkg/a/__init__.py", "pkg/a/query.py", "query.py", "deep/down/x.rb", "x/down/x.rb"
    )
    assert ("query.py",) == modules.files_of_dotted("query", "python")
    assert ("pkg/a/query.py",) == modules.files_of_dotted("a.query", "python")
    assert ("deep/down/x.rb", "x/down/x.rb") == modules.files_of_dotted("down.x", "ruby")
    assert () == modules.files_of_dotted("b.query", "python")
    assert () == modules.files_of_dotted("", "python")
    assert () == _WEB.files_of_dotted("package", "javascript")


def test_files_of_a_package_see_one_another() -> None:
    """Go's tests see everything, everything else sees no tests; a Python file sees no other."""
    assert ("internal/x/b.go",) == _GO.siblings_of("internal/x/a.go", "go")
    assert ("internal/x/a.go", "internal/x/b.go") == _GO.siblings_of("internal/x/a_test.go", "go")
    assert ("m/src/main/java/com/x/B.java",) == _NAMED.siblings_of("m/src/main/java/com/x/A.java", "java")
    assert () == _PACKAGE.siblings_of("pkg/a.py", "python")


def test_languages_of_files_are_known() -> None:
    """A path from elsewhere has none."""
    assert "python" == _PACKAGE.language_of("pkg/a.py")
    assert "" == _PACKAGE.language_of("pkg/b.py")
    assert () == _PACKAGE.files_of("a", "text", "x")
    assert () == _PACKAGE.files_of("", "python", "pkg/a.py")


_parts = st.sampled_from(["a", "b", "pkg", "src", "lib", "__init__", "index", "mod", "x.y", "Ä", "..", ".", "", "core"])
_paths = st.builds(
    lambda folders, stem, ending: "/".join([*(f for f in folders if f.strip(".")), stem + ending]),
    st.lists(_parts, max_size=3),
    st.sampled_from(["a", "b", "__init__", "index", "mod", "lib", "main", "a.b"]),
    st.sampled_from([ending for row in LANGUAGES for ending in row.extensions[:2]] + [""]),
)
_modules = st.text(max_size=12) | st.builds(
    lambda parts, by: by.join(parts),
    st.lists(_parts, max_size=4),
    st.sampled_from([".", "/", "::", "\\", "../", "$a/"]),
)


@given(st.lists(_paths, max_size=8), _modules, st.sampled_from(_NAMES), _paths)
def test_only_files_of_the_segment_are_ever_meant(paths: list[str], module: str, language: str, from_path: str) -> None:
    """Nothing is raised, nothing is made up or said twice, whatever tree and spelling."""
    modules = a_map(*paths)
    for found in (modules.files_of(module, language, from_path), modules.files_of_dotted(module, language)):
        assert set(found) <= set(paths)
        assert len(set(found)) == len(found)


@given(st.lists(_paths, min_size=1, max_size=8), st.sampled_from(["", "top"]))
def test_every_file_is_found_by_the_name_of_its_module(paths: list[str], segment_name: str) -> None:
    """`files_of_dotted` is the inverse of `module_of`, which is never empty."""
    modules = a_map(*paths, segment_name=segment_name)
    for path in paths:
        language = language_of(path)
        name = modules.module_of(path, language)
        assert name
        assert path in modules.files_of_dotted(name, language)
