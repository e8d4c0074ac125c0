"""What files are, by their names and bytes: display paths, secrets, decoding, minified and generated."""

from __future__ import annotations

import codecs
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.source_files import (
    Changes,
    decode_source,
    display_path,
    is_generated,
    is_minified,
    is_secrets_file,
    os_path_of,
)

# --- display paths ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("os_path", "shown"),
    [
        (b"src/a b.py", "src/a b.py"),
        ("café/日本.py".encode(), "café/日本.py"),
        ("nbsp\u00a0zero\u200bwidth".encode(), "nbsp\u00a0zero\u200bwidth"),
        (rb"back\slash", r"back\slash"),
        (b"bad\xff.py", r"bad\xff.py"),
        (b"a\nb\tc\rd", r"a\nb\tc\rd"),
        (b"\x1b[31m\x7f", r"\x1b[31m\x7f"),
        ("\x85".encode(), r"\u0085"),
        ("line\u2028sep\u202ertl".encode(), r"line\u2028sep\u202ertl"),
        (b"\xed\xa0\x80", r"\xed\xa0\x80"),
    ],
)
def test_display_path_escapes_only_what_cannot_be_shown(os_path: bytes, shown: str) -> None:
    """Undecodable bytes and control characters are escaped, everything else is untouched."""
    assert shown == display_path(os_path)


@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_display_path_is_one_line_of_valid_unicode(os_path: bytes) -> None:
    """Whatever the bytes, no control character and no surrogate comes out."""
    shown = display_path(os_path)
    assert {"Cc", "Cs", "Zl", "Zp"}.isdisjoint(map(unicodedata.category, shown))


@given(st.binary().filter(lambda os_path: b"\\" not in os_path))
def test_os_path_of_inverts_display_path(os_path: bytes) -> None:
    """The shown path leads back to the same bytes when no name holds a backslash."""
    assert os_path == os_path_of(display_path(os_path))


@pytest.mark.parametrize("shown", [r"a\u0041", r"a\x41b", r"C:\temp\y", "a\\"])
def test_os_path_of_leaves_what_display_path_would_not_write(shown: str) -> None:
    """A name that looks like an escape of something printable stays as it is."""
    expected = shown.replace(r"\t", "\t").encode()
    assert expected == os_path_of(shown)


# --- secrets files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "deploy/.env.production",
        ".env.local",
        ".ENV",
        ".envrc",
        "tls/server.pem",
        "Server.KEY",
        "id_rsa",
        "keys/id_rsa.bak",
        "id_ed25519",
        "a.p12",
        "a.pfx",
        ".netrc",
        ".npmrc",
        ".pypirc",
        "vault.kdbx",
        "a.jks",
        "a.keystore",
        ".git-credentials",
        ".htpasswd",
        ".aws/credentials",
        "home/.aws/credentials",
        ".git/config",
        "prod.env",
        "deploy/staging.env",
        "AuthKey_ABC.p8",
        "keys/deploy_ed25519",
        "client.ovpn",
        "terraform.tfstate",
        "terraform.tfstate.backup",
        "prod.tfvars",
        "prod.auto.tfvars.json",
        "kubeconfig",
        "k8s/prod-kubeconfig.yaml",
        "gcp/service-account.json",
        "my-serviceaccount-prod.json",
        "credentials.json",
        "application_default_credentials.json",
        "client_secret_1.apps.json",
        "shop-firebase-adminsdk-1.json",
        ".vault-token",
        ".streamlit/secrets.toml",
        "home/.config/gcloud/access_tokens.db",
        "sops/age/keys.txt",
        ".mylogin.cnf",
        ".my.cnf",
        ".pgpass",
        "postgresql/pgpass.conf",
        "_netrc",
        ".authinfo",
        ".pgpass.bak",
        ".netrc~",
        ".my.cnf.20251229",
    ],
)
def test_secrets_names(path: str) -> None:
    """Files whose name says keys or passwords are secrets files."""
    assert is_secrets_file(path.encode())


@pytest.mark.parametrize(
    "path",
    [
        ".env.example",
        ".env.local.sample",
        ".env.template",
        ".my.cnf.example",
        "my.cnf",
        ".pgpass.md",
        "id_rsa.pub",
        "id_ed25519.pub",
        "keys.pem.pub",
        "environment.py",
        ".environment",
        "monkey.py",
        "credentials",
        "src/credentials.py",
        "x.aws/credentials",
        "pem",
        ".env/settings.py",
        "example.env",
        "terraform.tfvars.example",
        "example.tfvars",
        "public.pem",
        "jwt-public.key",
        "key.py",
        "secrets.py",
        "test_credentials.py",
        "credentials.ts",
        "service_account.py",
        "docs/kubeconfig.md",
        "secrets.yaml",
        "src/env.ts",
        "keys.txt",
        "my_rsa.py",
    ],
)
def test_names_that_only_look_like_secrets(path: str) -> None:
    """Patterns to copy, public keys and source files are none."""
    assert not is_secrets_file(path.encode())


# --- decoding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "text", "encoding"),
    [
        (b"", b"a.py", "", "utf-8"),
        ("é\r\nb\rc\fd\u2028e\n".encode(), b"a.py", "é\r\nb\rc\fd\u2028e\n", "utf-8"),
        (codecs.BOM_UTF8 + b"a\r\nb\r\n", b"a.py", "a\r\nb\r\n", "utf-8-sig"),
        (codecs.BOM_UTF16_LE + "é\n".encode("utf-16-le"), b"a.txt", "é\n", "utf-16-le"),
        (codecs.BOM_UTF16_BE + "é\n".encode("utf-16-be"), b"a.txt", "é\n", "utf-16-be"),
        (codecs.BOM_UTF32_LE + "é\n".encode("utf-32-le"), b"a.txt", "é\n", "utf-32-le"),
        (codecs.BOM_UTF32_BE + "é\n".encode("utf-32-be"), b"a.txt", "é\n", "utf-32-be"),
        (b"caf\xe9 \x93x\x94", b"a.c", "caf\xe9 \x93x\x94", "latin-1"),
        (b"# coding: cp1252\n\x93", b"a.py", "# coding: cp1252\n\u201c", "cp1252"),
        (b"#!/bin/x\n# -*- coding: koi8-r -*-\n\xc1", b"a.pyi", "#!/bin/x\n# -*- coding: koi8-r -*-\nа", "koi8-r"),  # noqa: RUF001 - Cyrillic
        (b"x = 1\n# coding: cp1252\n\x93", b"a.py", "x = 1\n# coding: cp1252\n\x93", "latin-1"),
        (b"# coding: cp1252\n\x93", b"a.rb", "# coding: cp1252\n\x93", "latin-1"),
        (b"# coding: nonsense\n\xc3\xa9", b"a.py", "# coding: nonsense\né", "utf-8"),
        (b"# coding: rot13\nnop", b"a.py", "# coding: rot13\nnop", "utf-8"),
        (b"# coding: unicode_escape\n\\x41", b"a.py", "# coding: unicode_escape\n\\x41", "utf-8"),
        (b"# coding: cp037\nx", b"a.py", "# coding: cp037\nx", "utf-8"),
        (b"# coding: ascii\n\xc3\xa9", b"a.py", "# coding: ascii\né", "utf-8"),
    ],
)
def test_decoding(data: bytes, name: bytes, text: str, encoding: str) -> None:
    """Marks, coding lines, UTF-8, then latin-1, in this order; line ends as they are, the UTF-8 always the text's."""
    decoded = decode_source(data, name)
    assert decoded is not None
    assert (text, encoding, text.encode()) == (decoded.text, decoded.encoding, decoded.utf8)


@pytest.mark.parametrize(
    "data",
    [
        b"text\0text",
        b"\x89PNG\r\n\x1a\n\0\0",
        bytes([*range(1, 32), 0xFF]) * 10,
        codecs.BOM_UTF16_LE + b"a",
        codecs.BOM_UTF16_LE + "a\0b".encode("utf-16-le"),
        codecs.BOM_UTF32_LE + b"\xff\xff\xff\xff",
        "no mark".encode("utf-16-le"),
    ],
)
def test_binary_has_no_text(data: bytes) -> None:
    """NUL, a broken wide encoding and dense control codes are binary."""
    assert decode_source(data, b"a.py") is None


def test_plain_utf8_is_not_encoded_again() -> None:
    """The bytes read are the bytes parsed."""
    data = "é = 1\n".encode()
    decoded = decode_source(data, b"a.py")
    assert decoded is not None
    assert decoded.utf8 is data


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_decoding_keeps_the_text(text: str, encoding: str) -> None:
    """What an editor wrote in a Unicode encoding with its mark is what is read."""
    decoded = decode_source(text.encode(encoding), b"notes.txt")
    assert decoded is not None
    assert (text, text.encode()) == (decoded.text, decoded.utf8)


@given(st.binary(), st.sampled_from([b"a.py", b"a.c"]))
def test_decoding_never_fails(data: bytes, name: bytes) -> None:
    """Any bytes are a text without NUL, whose UTF-8 decodes back, or binary."""
    decoded = decode_source(data, name)
    assert decoded is None or ("\0" not in decoded.text and decoded.utf8.decode() == decoded.text)


@given(st.binary(max_size=60))
def test_any_coding_line_is_survived(name: bytes) -> None:
    """A coding line may name anything at all."""
    data = b"# coding: " + name + b"\nx"
    decoded = decode_source(data, b"a.py")
    assert decoded is None or decoded.text.startswith("# coding: ")


def test_a_notebook_is_decoded_to_its_cells() -> None:
    """Half a surrogate pair, which JSON may spell, becomes a replacement character; a broken notebook says so."""
    data = b'{"cells": [\n{"cell_type": "code",\n"source": [\n"x = \'\\ud800\'\\n"\n]}]}'
    decoded = decode_source(data, b"a.ipynb")
    assert decoded is not None
    assert ("\n\n# %% [python]\nx = '?'\n", "utf-8", "") == (decoded.text, decoded.encoding, decoded.flaw)
    assert decoded.text.encode() == decoded.utf8
    torn = decode_source(data[:-3], b"a.ipynb")
    assert torn is not None
    assert data[:-3] == torn.utf8
    assert torn.flaw.startswith("not a notebook: no JSON")
    plain = decode_source(data, b"a.json")
    assert plain is not None
    assert data == plain.utf8


# --- minified and generated ------------------------------------------------------------------------------------------

_PARAGRAPH = b"All of this is one paragraph that a person wrote without a single line end. "


@pytest.mark.parametrize(
    ("name", "utf8", "expected"),
    [
        (b"a.js", b"x" * 20_000, False),
        (b"a.js", b"x" * 20_001, True),
        (b"a.js", (b"x" * 404 + b"\n") * 100, True),
        (b"a.js", (b"x" * 403 + b"\n") * 100, False),
        (b"a.js", (b"x" * 402 + b"\r\n") * 100, False),
        (b"a.js", (b"x" * 403 + b"\r") * 100, False),
        (b"a.js", b"x = 1;\n" * 40_000 + b"y" * 100_001, True),
        (b"a.js", b"x = 1;\n" * 40_000 + b"y" * 100_000, False),
        (b"docs/a.md", _PARAGRAPH * 3_000, False),
        (b"LICENSE", _PARAGRAPH * 3_000, False),
        (b"docs.d/a.js", _PARAGRAPH * 3_000, True),
        (b"a.txt", b"QUJD" * 30_000, True),
    ],
)
def test_minified(name: bytes, utf8: bytes, expected: bool) -> None:
    """Long lines in a large file, prose exempt, at the documented limits exactly."""
    assert expected is is_minified(name, utf8)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (b"a.py", "x = 1\n", False),
        (b"a.py", "# @generated by tool\n", True),
        (b"a.py", "# x@generatedness\n", False),
        (b"a.go", "// Code generated by stringer. DO NOT EDIT.\n", True),
        (b"a.h", "/* Generated file,\n * do not edit. */\n", True),
        (b"a.py", "# generated\n", False),
        (b"a.py", "# do not edit\n", False),
        (b"a.py", "x\n" * 20 + "# @generated\n", False),
        (b"a.py", "x\n" * 19 + "# @generated\n", True),
        (b"api/a_pb2.py", "", True),
        (b"a_pb2_grpc.py", "", True),
        (b"a.pb.go", "", True),
        (b"site.min.css", "", True),
        (b"min.css", "", False),
        (b"poetry.lock", "", True),
        (b"web/package-lock.json", "", True),
        (b"package.json", "", False),
        (b"go.sum", "", True),
        (b"lock.py", "", False),
    ],
)
def test_generated(name: bytes, text: str, expected: bool) -> None:
    """Names of generated and lock files, and marks in the first 20 lines."""
    assert expected is is_generated(name, text)


def test_changes_are_empty_when_nothing_moved() -> None:
    """Only three empty tuples are no change."""
    assert Changes((), (), ()).is_empty
    assert not any(
        changes.is_empty for changes in (Changes((b"a",), (), ()), Changes((), (b"a",), ()), Changes((), (), (b"",)))
    )
