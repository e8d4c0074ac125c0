"""Findings: how one reads, and that many are counted and few kept."""

from __future__ import annotations

from ctx.domain.telemetry.findings import KEPT_MAX, Finding, Findings


def test_a_finding_names_file_line_and_what_is_wrong() -> None:
    """As an error message of ctx does; a finding about the whole file has no line."""
    about_line = Finding("wrong", "schema", "events.jsonl", 812, '"duration_ns" must be an integer >= 0, found -3')
    assert 'events.jsonl line 812: "duration_ns" must be an integer >= 0, found -3' == str(about_line)
    assert "metrics.json: is empty" == str(Finding("wrong", "metrics.json", "metrics.json", 0, "is empty"))


def test_many_are_counted_and_the_first_are_kept() -> None:
    """A file that is wrong in every line does not fill the memory."""
    findings = Findings()
    for number in range(KEPT_MAX + 50):
        findings.add(Finding("wrong", "schema" if number % 2 else "torn", "events.jsonl", number + 1, "x"))
    findings.add(Finding("odd", "gap", "events.jsonl", 0, "x"))

    assert KEPT_MAX + 50 == findings.total("wrong")
    assert {"schema": 75, "torn": 75} == findings.counts["wrong"]
    assert list(range(1, KEPT_MAX + 1)) == [finding.line_1based for finding in findings.kept["wrong"]]
    assert 1 == findings.total("odd") == len(findings.kept["odd"])
