"""The one function: what it marks, that it does so once and for all, and what it does not load."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.made_secrets import Made, Maker, windows

from ctx.domain.telemetry.redaction import truncated
from ctx.infrastructure import secrets
from ctx.infrastructure.secrets import SourceRedactor, redact_secrets, redact_source, redact_value

if TYPE_CHECKING:
    from collections.abc import Callable

_MADE = Maker(11).all()
_WORDS = "password secret token key = : is [REDACTED:x] ' \" \n - / eyJ https://u: @h login machine Bearer Basic".split(
    " "
)
_TEXTS = st.lists(
    st.one_of(st.sampled_from([made.text for made in _MADE]), st.sampled_from(_WORDS), st.text(max_size=10)), max_size=8
).map(" ".join)


@settings(max_examples=200)
@given(_TEXTS, st.booleans())
def test_marking_again_changes_nothing(text: str, is_source: bool) -> None:
    """A marked text has no secrets, and as many lines as it had."""
    once = redact_secrets(text, is_source=is_source)
    assert once == redact_secrets(once, is_source=is_source)
    assert text.count("\n") == once.count("\n")


@pytest.mark.parametrize("made", _MADE, ids=lambda made: made.kind)
def test_no_cut_leaves_a_part_of_a_secret(made: Made) -> None:
    """Wherever 120 characters end within a secret, nothing of it is left in front of the end."""
    parts = windows(made.secret)
    for offset in range(0, 121, 3):
        text = truncated(redact_secrets("x" * offset + " " + made.text + " and more of it" * 10))
        assert [] == [part for part in parts if part in text], offset


@pytest.mark.parametrize("show", [redact_source, SourceRedactor().line])
def test_what_sources_are_cut_within_is_marked(show: Callable[[str], str]) -> None:
    """A signature, a sentence or a line that ends within a key shows nothing of it, beside others that are whole."""
    kinds = {"github", "gitlab", "anthropic", "openai", "google", "npm", "digitalocean", "sonar", "aws"}
    keys = [made.secret for made in Maker(3).providers() if made.kind in kinds]
    for key in keys:
        for cut in range(12, len(key)):
            for text in (f'key = ("x", "{key[:cut]}…', f'see {key[:cut]}…  # L3\nx = "{keys[0]}"'):
                assert [] == [part for part in windows(key) if part in show(text)], text
    for text in ("call(some_name, another_1…", "commit 3f9774d0c1b2…", "sk-learn has more…", "key-value pairs…", "…"):
        assert text == show(text)


def test_what_no_rule_knows_goes_to_the_detector() -> None:
    """A form that only the detector has is marked, in source text by the name of its plugin."""
    password = "AP" + "Babcdefghijklmnopqrstuvwx1"
    assert "what is [REDACTED:credential] for" == redact_secrets(f"what is {password} for")
    assert f"what is {password} for" == redact_source(f"what is {password} for")
    key = "A3" + "TX1BCD2FGH3JKL4NOP"
    assert 'first = 1\nx = "[REDACTED:aws]"' == redact_source(f'first = 1\nx = "{key}"')


def test_a_detector_that_is_not_there_costs_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package ctx's own rules go on."""
    monkeypatch.setattr(secrets._Detector, "plugins", None)
    monkeypatch.setitem(sys.modules, "detect_secrets.plugins.aws", None)
    assert "password=[REDACTED:credential] Zx9Yw8Vu7Ts6Rq5Po4" == redact_secrets("password=x Zx9Yw8Vu7Ts6Rq5Po4")
    assert 'x = "Zx9Yw8Vu7Ts6Rq5Po4Nm"' == redact_source('x = "Zx9Yw8Vu7Ts6Rq5Po4Nm"')
    assert () == secrets._Detector.plugins


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("x", "password", "[REDACTED:credential]"),
        ("", "password", ""),
        ("[REDACTED:aws]", "api_key", "[REDACTED:aws]"),
        ("x", "query", "x"),
        ("password=y", "query", "password=[REDACTED:credential]"),
        ("x", "monkey", "x"),
    ],
)
def test_values_of_keys_that_announce(text: str, key: str, expected: str) -> None:
    """The value of a key such as "password" is all secret."""
    assert expected == redact_value(text, key)


def test_ordinary_texts_load_nothing() -> None:
    """What events say every day loads neither the rules nor the detector."""
    code = (
        "import sys; from ctx.infrastructure.secrets import redact_secrets as r\n"
        "for text in ('where is the policy decided', 'src/domain/query.py#parse_query@1a2b3c4d', 'café'): r(text)\n"
        "assert not [m for m in sys.modules if 'secret_rules' in m or 'detect_secrets' in m]\n"
        "r('test_lsp_timeout_falls_back_to_tree_sitter 9f86d081884c7d659a2feaa0c55ad0159f86d081 total_tokens')\n"
        "r('where is the token refreshed')\n"
        "assert 'detect_secrets' not in sys.modules"
    )
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


@pytest.mark.parametrize("word", ["pass", "passphrase", "passcode", "my passphrase"])
def test_a_short_word_for_a_password_announces_one(word: str) -> None:
    """With a colon behind it, as in a file of settings."""
    assert f"{word}: [REDACTED:credential]" == redact_secrets(f"{word}: tr0ub4dor")


@pytest.mark.parametrize("option", ["-u ", "--user ", "--user=", '-u "'])
def test_a_password_of_curl_is_one(option: str) -> None:
    """The name stays, the password goes."""
    assert f"curl {option}alice:[REDACTED:credential]" in redact_secrets(f"curl {option}alice:tr0ub4dor https://host/")
