"""What the Chrome trace-event format asks of a file, as its document says it, checked without a viewer."""

from __future__ import annotations

from typing import Any

_NAMED = {"process_name": str, "thread_name": str, "process_sort_index": int, "thread_sort_index": int}


def trace_faults(trace: Any) -> list[str]:
    """Return what is wrong with a trace: the object's form, each event's by its phase, and the nesting per thread."""
    if not isinstance(trace, dict) or not isinstance(trace.get("traceEvents"), list):
        return ["a trace is an object with an array traceEvents"]
    faults = [f"event {at}: {fault}" for at, event in enumerate(trace["traceEvents"]) for fault in _event_faults(event)]
    if trace.get("displayTimeUnit", "ms") not in {"ms", "ns"}:
        faults.append("displayTimeUnit is ms or ns")
    return faults or [*_name_faults(trace["traceEvents"]), *_nesting_faults(trace["traceEvents"])]


def _event_faults(event: Any) -> list[str]:
    if not isinstance(event, dict):
        return ["is no object"]
    faults = [f"{key} is a number of a process or thread" for key in ("pid", "tid") if not _is_number(event.get(key))]
    if not isinstance(event.get("name"), str) or not event["name"]:
        faults.append("has no name")
    if not isinstance(event.get("args"), dict):
        faults.append("args is an object")
    phase = event.get("ph")
    if phase in {"X", "i", "B", "E"}:
        if not isinstance(event.get("cat"), str):
            faults.append("cat is a text")
        faults += [
            f"{key} is no time" for key in ("ts", *(["dur"] if phase == "X" else [])) if not _is_time(event, key)
        ]
    if phase == "i" and event.get("s") not in {"t", "p", "g"}:
        faults.append("an instant's scope is t, p or g")
    if phase == "M":
        wanted = _NAMED.get(str(event.get("name")))
        value = event.get("args", {}).get("name" if wanted is str else "sort_index")
        if wanted is None or type(value) is not wanted:
            faults.append("a metadata event names or orders a process or thread")
    if phase not in {"X", "i", "B", "E", "M"}:
        faults.append(f"phase {phase!r} is not one of those used")
    return faults


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


def _is_time(event: dict[str, Any], key: str) -> bool:
    value = event.get(key)
    return type(value) in {int, float} and 0 <= value < 1e17


def _name_faults(events: list[dict[str, Any]]) -> list[str]:
    processes = {event["pid"] for event in events if event["ph"] == "M" and event["name"] == "process_name"}
    threads = {
        (event["pid"], event["tid"]) for event in events if event["ph"] == "M" and event["name"] == "thread_name"
    }
    drawn = {(event["pid"], event["tid"]) for event in events if event["ph"] != "M"}
    return [f"{thread} has no name" for thread in drawn if thread not in threads or thread[0] not in processes]


def _nesting_faults(events: list[dict[str, Any]]) -> list[str]:
    """Compare any two complete events of a thread: one lies in the other, or they are apart."""
    threads: dict[tuple[int, int], list[tuple[int, int, str]]] = {}
    for event in events:
        if event["ph"] == "X":
            begin = round(event["ts"] * 1000)
            end = begin + round(event["dur"] * 1000)
            threads.setdefault((event["pid"], event["tid"]), []).append((begin, end, event["name"]))
    faults = []
    for thread, spans in threads.items():
        for at, (begin, end, name) in enumerate(spans):
            for other_begin, other_end, other in spans[at + 1 :]:
                if begin < other_begin < end < other_end or other_begin < begin < other_end < end:
                    faults.append(f"{name} and {other} overlap in thread {thread}")
    return faults
