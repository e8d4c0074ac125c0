"""OTLP lines read by the official classes: what they do not know is an error, and what they read they write again."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

CLASSES = {"resourceSpans": TracesData, "resourceLogs": LogsData, "resourceMetrics": MetricsData}
_IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def read_line(line: bytes | str) -> Any:
    """Return the official message that a line holds.

    Raises: AssertionError when the line has another form than the classes would give it.
    """
    data = json.loads(line)
    (signal,) = data.keys()
    # OTLP writes ids as hexadecimal digits where protobuf's own JSON has base64.
    message = ParseDict(_with_ids(data, _base64), CLASSES[signal]())
    again = MessageToDict(message, use_integers_for_enums=True)
    assert data == _with_ids(again, _hex)
    assert CLASSES[signal].FromString(message.SerializeToString()) == message
    return message


def _with_ids(value: Any, convert: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: convert(item, _IDS[key]) if key in _IDS else _with_ids(item, convert) for key, item in value.items()
        }
    return [_with_ids(item, convert) for item in value] if isinstance(value, list) else value


def _base64(text: str, size: int) -> str:
    raw = bytes.fromhex(text)
    assert (size, text) == (len(raw), text.lower())
    assert any(raw)
    return base64.b64encode(raw).decode()


def _hex(text: str, _size: int) -> str:
    return base64.b64decode(text).hex()
