"""The tables of names: every node type and field they speak of is one of the grammars they are for."""

from __future__ import annotations

import pytest

from ctx.infrastructure.ast_lsp.name_rules import RULES, NameRules
from ctx.infrastructure.languages import LANGUAGES, grammar_of

TABLES = {id(rules): rules for rules in RULES.values()}


def languages_of(rules: NameRules) -> list[str]:
    return [language for language, known in RULES.items() if known is rules]


def test_every_language_has_a_table() -> None:
    """A language that is parsed can be navigated."""
    assert {row.name for row in LANGUAGES} == set(RULES)


@pytest.mark.parametrize("rules", TABLES.values(), ids=[languages_of(rules)[0] for rules in TABLES.values()])
def test_node_types_and_fields_exist(rules: NameRules) -> None:
    """A misspelled node type would silently match nothing."""
    grammars = [grammar_of(language) for language in languages_of(rules)]
    kinds = {
        *rules.names,
        *(parent for parent, _ in rules.binders),
        *rules.patterns,
        *rules.scopes,
        *(parent for parent, _ in rules.outside),
        *rules.hoisted,
        *rules.members,
        *rules.calls,
        *rules.values,
        *rules.iterations,
        *rules.wrappers,
        *rules.choices,
        *rules.items,
        *rules.types,
        *rules.imports,
        *(parent for parent, _ in rules.keywords),
        *rules.classes,
        *rules.functions,
        *rules.returns,
    }
    fields = {
        *(name for _, name in rules.binders),
        *(name for _, name in rules.outside),
        *(name for pair in rules.members.values() for name in pair),
        *rules.calls.values(),
        *(name for pair in rules.values.values() for name in pair),
        *rules.items.values(),
        *rules.functions.values(),
    } - {""}

    def is_known(kind: str) -> bool:
        return any(grammar.id_for_node_kind(kind, True) for grammar in grammars)

    unknown = sorted(kind for kind in (kinds | rules.literals) if not is_known(kind))
    assert [] == unknown
    assert [] == sorted(name for name in fields if not any(g.field_id_for_name(name) for g in grammars))
