"""Whether a line is an event as the table says: quick checks compiled from it, words where one fails.

Beside the published schema and not by way of a schema library: the one for Python takes some sixty times as long for
a line, and answers in the words of JSON Schema. Both agree on every line; a property test holds them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .event_schema import fields_of
from .events import COMMANDS, EVENTS, LINE_FIELDS, LSP_REQUESTS, SOMETIMES_FIELDS, is_lsp_request, kind_of
from .field_types import check_of, faults_of, found, fragment_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .events import EventKind, Fields
    from .field_types import Check

_REQUIRED = frozenset(field[0] for field in LINE_FIELDS)
_PARTS = ("args", "result")


class _Checks:
    """The checks of one event's fields: of its args, its result, and its top level."""

    __slots__ = ("args", "fields", "is_known", "result", "top")

    def __init__(self, row: EventKind | None) -> None:
        """Compile a row's checks; without one, those of a name that is not in the table."""
        self.is_known = row is not None
        self.fields = args, result, extra = fields_of(row) if row is not None else ((), (), ())
        self.args, self.result = _compiled(args), _compiled(result)
        self.top = _compiled(extra + LINE_FIELDS + SOMETIMES_FIELDS)


class LineCheck:
    """Checks decoded lines, one by one."""

    def __init__(self) -> None:
        self._by_cmd = {name: _Checks(row) for name, row in EVENTS.items()}
        self._command, self._request = (_Checks(kind_of(pattern)) for pattern in (COMMANDS, LSP_REQUESTS))
        self._unknown = _Checks(None)

    def is_fine(self, event: Any) -> bool:
        """Tell whether a decoded line is as it must be and holds nothing that is not in the table."""
        if event.__class__ is not dict or not event.keys() >= _REQUIRED:
            return False
        checks = self._checks_of(event["cmd"])
        if not checks.is_known:
            return False
        top = checks.top
        for name, value in event.items():
            check = top.get(name)
            if check is None or not check(value):
                return False
        for fields, inner in ((event["args"], checks.args), (event["result"], checks.result)):
            for name, value in fields.items():
                check = inner.get(name)
                if check is None or not check(value):
                    return False
        return True

    def faults(self, event: Any) -> list[str]:
        """Return what is wrong with a decoded line, one message each; empty when it is valid."""
        if not isinstance(event, dict):
            return [f"an event must be an object, found {found(event)}"]
        faults = []
        missing = sorted(_REQUIRED - event.keys())
        if missing:
            names = ", ".join(f'"{name}"' for name in missing)
            faults.append(f"{names} {'is' if len(missing) == 1 else 'are'} missing")
        args, result, extra = self._checks_of(event.get("cmd")).fields
        faults += _faults(event, {field[0]: field for field in extra + LINE_FIELDS + SOMETIMES_FIELDS}, "")
        for part, fields in zip(_PARTS, (args, result), strict=True):
            if isinstance(event.get(part), dict):
                faults += _faults(event[part], {field[0]: field for field in fields}, f"{part}.")
        return faults

    def novelties(self, event: Mapping[str, Any]) -> list[str]:
        """Return what is valid in a valid line and not in the table: a name, or fields."""
        checks = self._checks_of(event["cmd"])
        if not checks.is_known:
            return [f"event {found(event['cmd'])} is not in the table"]
        news = [f"field {found(name)}" for name in event if name not in checks.top]
        news += [f"field {found(f'args.{name}')}" for name in event["args"] if name not in checks.args]
        news += [f"field {found(f'result.{name}')}" for name in event["result"] if name not in checks.result]
        return [f"{new} of {found(event['cmd'])} is not in the table" for new in news]

    def _checks_of(self, cmd: Any) -> _Checks:
        if cmd.__class__ is not str:
            return self._unknown
        checks = self._by_cmd.get(cmd)
        if checks is not None:
            return checks
        if cmd.startswith("ctx."):
            return self._command
        return self._request if is_lsp_request(cmd) else self._unknown


def _compiled(fields: Fields) -> dict[str, Check]:
    return {name: check_of(fragment_of(type_name)) for name, type_name, _unit, _meaning in fields}


def _faults(values: Mapping[str, Any], fields: Mapping[str, tuple[str, ...]], place: str) -> Iterator[str]:
    for name, value in values.items():
        field = fields.get(name)
        if field is not None:
            yield from faults_of(value, fragment_of(field[1]), f"{place}{name}")
