"""The cheap look at bytes: sound with respect to the rules, and quiet about what ordinary events say."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.made_secrets import Maker

from ctx.domain.secret_hints import folded_runs, may_hold_secret
from ctx.domain.secret_rules import is_secret_name, spans

_MADE = Maker(7).all()
_PARTS = st.one_of(
    st.sampled_from([made.text for made in _MADE]),
    st.sampled_from(
        "password passwd pwd pass secret token api_key api-key access key auth authorization Basic Bearer credential "
        "passphrase cookie session_id is = : => := ' \" ` [ ] ( ) - -- _ . / :// @ user https://u:p@h ? & sig= \n \t "
        "eyJ AKIA ghp_ sk- -----BEGIN -----END PRIVATE KEY----- login machine K İ \u017f é "
        "mysql mariadb-dump sshpass 7z login redis-cli -p -pX -a -U --proxy-user value "
        "-u --user a:b h:5432:d:u:p *:*:*:u:p :5432: * % %40 %3A %3d %252F \u200b \u00ad \ufeff \uff1a \uff1d".split(
            " "
        )
    ),
    st.text(max_size=12),
    st.text("abcXYZ019+/_-=", min_size=1, max_size=45),
)
_TEXTS = st.lists(_PARTS, max_size=10).flatmap(
    lambda parts: st.sampled_from(["", " ", ": ", "="]).map(lambda between: between.join(parts))
)


@settings(max_examples=400)
@given(_TEXTS)
@example("secret_prod: x")
@example("Authorization: Basic dXNlcjpwYXNz")
@example("token\u00a0: abc")
@example("mysql -px")
@example("a--user x:y")
@example("--user x:y")
@example("h:5432:d:u:1")
@example("*:*:*:*:p")
@example("\uff4b\uff45\uff59\uff1dx")
@example("key%253dx")
@example(r"ke\u200by: x")
def test_never_no_to_what_the_rules_find(text: str) -> None:
    """Whatever the strict rules would mark, the look at the bytes has a reason to send there."""
    found = spans(text, is_strict=True)
    assert not found or may_hold_secret(text.encode("utf-8", "surrogatepass")), found


@pytest.mark.parametrize("made", _MADE, ids=lambda made: made.kind)
def test_yes_to_each_secret(made: object) -> None:
    """Every secret of the corpus is worth a second look, also in the middle of a sentence."""
    assert may_hold_secret(f"why does {made.text} fail".encode())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["password", "db_password", "token", "api_key", "client_secret", "pwd", "API-KEY"])
def test_yes_to_a_key_that_announces_its_value(name: str) -> None:
    """A key of an object is seen in the JSON, whatever its value."""
    assert is_secret_name(name)
    assert may_hold_secret(json.dumps({name: "x"}, separators=(",", ":")).encode())


@pytest.mark.parametrize(
    "said",
    [
        {
            "args": {"query": "where is the telemetry rotation policy decided", "limit": 10},
            "result": {"hits": 7, "total_tokens": 1834, "returned_ids": ["repo:telemetry.py:0b2ce5"]},
        },
        {"args": {"file": "src/domain/query.py"}, "result": {"functions": 3, "status": "ok"}},
        {"args": {"server": "pyright", "method": "definition"}, "result": {"resolved": True, "status": "answered"}},
        {
            "args": {"query": "front-end rendering of 2000 pages, 50% of them", "limit": 1000},
            "result": {"ids": ["a-b.py:1200:3"]},
        },
        {"args": {"query": "où est “décidée” la rotation — et pourquoi…"}, "result": {"status": "ok"}},
        {"args": {}, "result": {"cache_hit": True}, "skeleton_bytes": 1, "reduction_ratio": 0.5, "language": "python"},
    ],
)
def test_no_to_what_events_say_every_day(said: object) -> None:
    """Ordinary events pay for the look alone."""
    assert not may_hold_secret(json.dumps(said, separators=(",", ":")).encode())


def test_folded_runs() -> None:
    """The folded text is as long as the text, and the run is in it where characters of keys follow each other."""
    text = b"a/b " + b"x1" * 10 + b" " + b"ab/" * 14
    folded, run = folded_runs(text)
    assert (len(text), 4) == (len(folded), folded.find(run))
    folded, run = folded_runs(text, with_slashes=True)
    assert (len(text), 25) == (len(folded), folded.find(run))
