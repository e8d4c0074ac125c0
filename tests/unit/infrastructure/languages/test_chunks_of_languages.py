"""Chunks of the languages beside Python: braces, namespaces, prototypes, comments of other forms."""

from __future__ import annotations

from ctx.domain.chunks import CHUNK_LINES_MAX, Chunk, chunk_code
from ctx.infrastructure.ast_lsp import SkeletonMapBuilder


def chunks(language: str, source: str) -> list[Chunk]:
    raw = source.encode()
    return list(chunk_code(raw, SkeletonMapBuilder().parse(raw, "pkg/file.x", language)))


def told(language: str, source: str) -> list[tuple[str, str, int, int]]:
    return [(c.kind, c.qualname, c.start_line, c.end_line) for c in chunks(language, source)]


def lines(count: int) -> str:
    return "".join(f"    x({at});\n" for at in range(count))


def test_a_namespace_is_looked_through() -> None:
    """It is all of its file: its members are cut as if it were not there, its brackets make no chunk."""
    source = (
        "#include <a>\n\nnamespace a {\nnamespace b {\n\n// Does it.\nvoid f() {\n"
        + lines(40)
        + "}\n\nclass C {\n  int g();\n};\n\n}  // namespace b\n}  // namespace a\n"
    )
    assert [
        ("module", "__module__", 1, 4),
        ("function", "a.b.f", 6, 48),
        ("class", "a.b.C", 50, 52),
    ] == told("cpp", source)


def test_a_ruby_module_that_only_wraps_classes_is_looked_through() -> None:
    """One that has methods of its own is a container."""
    wrapped = "module A\n  module B\n    class C\n      def d\n        1\n      end\n    end\n  end\nend\n"
    assert [("module", "__module__", 1, 2), ("class", "A.B.C", 3, 7)] == told("ruby", wrapped)
    assert [("module", "A", 1, 5)] == told("ruby", "module A\n  def self.b\n    1\n  end\nend\n")


def test_a_long_impl_block_is_its_head_and_its_methods() -> None:
    """As a class is; the closing bracket alone is nothing to find."""
    source = "struct S;\n\nimpl Tr for S {\n    const A: i32 = 1;\n\n    fn f() {\n" + lines(40) + "    }\n}\n"
    assert [
        ("struct", "S", 1, 1),
        ("impl", "S", 3, 4),
        ("method", "S.f", 6, 47),
    ] == told("rust", source)
    assert ("A",) == chunks("rust", source)[1].names


def test_methods_of_go_are_chunks_of_their_own() -> None:
    """They stand at the top level and take their comments along."""
    source = "package a\n\n// S is.\ntype S struct {\n}\n\n// M does.\n// It does.\nfunc (s *S) M() {\n}\n"
    assert [("module", "__module__", 1, 1), ("struct", "S", 3, 5), ("method", "S.M", 7, 10)] == told("go", source)


def test_prototypes_and_constants_stay_together_and_name_what_they_declare() -> None:
    """Each part of a long header has the names on its own lines."""
    source = "".join(f"int f{at}(int x);\n" for at in range(250)) + "#define LAST 1\n"
    found = chunks("c", source)
    assert {"module"} == {c.kind for c in found}
    assert "f0" in found[0].names
    assert "f0" not in found[-1].names
    assert "LAST" in found[-1].names
    assert all(c.end_line - c.start_line < CHUNK_LINES_MAX for c in found)


def test_a_documented_prototype_is_a_chunk() -> None:
    """More than three lines with its comment: worth finding alone."""
    source = "int a(void);\n\n/*\n Does it\n all.\n*/\nint b(void);\nint c(void);\n"
    assert [("module", "__module__", 1, 1), ("function", "b", 3, 7), ("module", "__module__", 8, 8)] == told(
        "c", source
    )


def test_a_directive_above_a_function_is_no_comment() -> None:
    """A hash starts one in Python, Ruby, PHP and shell only."""
    source = "#include <a.h>\nint f(void) {\n  return 1;\n}\n#ifdef A\nint g(void) {\n  return 1;\n}\n#endif\n"
    assert [
        ("module", "__module__", 1, 1),
        ("function", "f", 2, 4),
        ("module", "__module__", 5, 5),
        ("function", "g", 6, 8),
    ] == told("c", source)
    assert [("function", "f", 1, 2)] == told("bash", "# Does it.\nf() { :; }\n")


def test_a_long_function_is_cut_at_the_functions_in_it() -> None:
    """A factory of a hundred lines is read one function at a time; short ones stay with what is around them."""
    source = (
        "export function create() {\n  let state\n  const tiny = () => 1\n\n  function get() {\n"
        + lines(50)
        + "  }\n\n  function set() {\n"
        + lines(60)
        + "  }\n\n  return { get, set }\n}\n"
    )
    assert [
        ("function", "create", 1, 3),
        ("function", "create.get", 5, 56),
        ("function", "create.set", 58, 119),
        ("function", "create", 121, 122),
    ] == told("javascript", source)
    assert ("tiny",) == chunks("javascript", source)[0].names


def test_definitions_that_share_lines_are_named_by_one_chunk() -> None:
    """What starts on a line that is told already is not told again, and not lost."""
    (found,) = chunks("javascript", "const a = () => 1, b = () => 2; function c() {}\n")
    assert ("a", ("b", "c")) == (found.name, found.names)
    (found,) = chunks("c", "typedef struct tag {\n  int x;\n} name;\n")
    assert ("tag", ("name",)) == (found.name, found.names)


def test_closing_lines_are_kept_where_they_say_something() -> None:
    """A bracket with a call behind it runs code."""
    source = ";(function (root) {\n  function f() {\n    return 1\n  }\n  root.f = f\n})(this);\n"
    assert [("module", "__module__", 1, 1), ("function", "f", 2, 4), ("module", "__module__", 5, 6)] == told(
        "javascript", source
    )
    assert ("module", "__module__", 4, 4) not in told("javascript", "(function () {\nfunction f() {\n}\n})(this);\n")
