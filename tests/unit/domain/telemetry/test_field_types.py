"""Types of fields: fragment, quick check, words; all three say the same, and what the `jsonschema` library says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.telemetry_lines import any_value, values_of

from ctx.domain.telemetry.field_types import TYPES, check_of, faults_of, found, fragment_of, words_of

TYPE_NAMES = [name + end for name in TYPES for end in ("", "?")]


@given(st.data(), st.sampled_from(TYPE_NAMES))
def test_check_words_and_library_agree(data: st.DataObject, type_name: str) -> None:
    """Whatever the value: the quick check passes it, nothing is said of it, the library takes it, or none of these."""
    fragment = fragment_of(type_name)
    value = data.draw(values_of(fragment) | any_value)

    is_valid = Draft202012Validator(fragment).is_valid(value)

    assert is_valid is check_of(fragment)(value)
    assert is_valid is (not list(faults_of(value, fragment, "x")))


@given(st.data(), st.sampled_from(TYPE_NAMES))
def test_what_a_type_allows_passes(data: st.DataObject, type_name: str) -> None:
    """Values made from the fragment are right by its check."""
    fragment = fragment_of(type_name)
    assert check_of(fragment)(data.draw(values_of(fragment)))


@pytest.mark.parametrize(
    ("type_name", "value", "message"),
    [
        ("count?", -3, '"x" must be an integer >= 0 or null, found -3'),
        ("count", True, '"x" must be an integer >= 0, found true'),
        ("ordinal", 0, '"x" must be an integer >= 1, found 0'),
        ("int", 1.5, '"x" must be an integer, found 1.5'),
        ("share?", 1.25, '"x" must be a number from 0 to 1 or null, found 1.25'),
        ("name", "", '"x" must be a text that is not empty, found ""'),
        ("bool", "yes", '"x" must be true or false, found "yes"'),
        ("level", "liet", '"x" must be lite or full, found "liet"'),
        ("ready_via?", "luck", '"x" must be definition, diagnostics or null, found "luck"'),
        ("hex8", "0123ABCD", '"x" must be 8 hex digits, found "0123ABCD"'),
        ("sha256_12", "sha256:0", '"x" must be sha256: and 12 hex digits, found "sha256:0"'),
        (
            "timestamp",
            "2025-13-01T00:00:00.000000+00:00",
            '"x" must be a time as 2025-12-29T22:06:52.060304+00:00, found ',
        ),
        ("strings", ["a", 3], '"x[1]" must be a text, found 3'),
        ("short_texts", ["y" * 121], '"x[0]" must be a text of at most 120 characters, found a text of 121 characters'),
        ("strings", {}, '"x" must be a list, found an object'),
        ("numbers", {"rank": "5"}, '"x.rank" must be a number, found "5"'),
        ("tokens", {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}, '"retrieved_tokens" is missing in "x"'),
        ("tokens", {"input_tokens": 1, "output_tokens": 1}, '"total_tokens", "retrieved_tokens" are missing in "x"'),
        ("object", [], '"x" must be an object, found a list'),
        ("object", None, '"x" must be an object, found null'),
    ],
)
def test_a_message_names_field_expectation_and_finding(type_name: str, value: Any, message: str) -> None:
    """Each kind of fragment has its words."""
    (said,) = faults_of(value, fragment_of(type_name), "x")
    assert said.startswith(message)


def test_a_line_end_after_a_pattern_is_no_match() -> None:
    """Python's `$` also matches before a last newline; the published length closes that."""
    stamp = "2025-12-29T22:06:52.060304+00:00"
    assert check_of(fragment_of("timestamp"))(stamp)
    assert not check_of(fragment_of("timestamp"))(stamp + "\n")
    assert not check_of(fragment_of("hex8"))("0123abcd\n")


def test_a_long_value_is_not_repeated() -> None:
    """A message repeats a value that helps; of a longer one it says what it is."""
    assert "a text of 1000 characters" == found("z" * 1000)
    assert "a number of 61 digits" == found(10**60)
    assert '"größe"' == found("größe")


def test_a_single_name_is_its_own_words() -> None:
    """An enumeration of one has no "or"."""
    assert "alone" == words_of({"type": "string", "enum": ["alone"]})


def test_an_unknown_type_is_a_mistake_in_the_table() -> None:
    """A name without a fragment is refused."""
    with pytest.raises(KeyError):
        fragment_of("colour")
