"""Nouns as plain data for `-o json` and `-o yaml`: the nouns' own field names, enums as their words.

A decision's matrix unpacks to `{rule: {candidate: allowed}}`, its misses and its ranking to records, since packed
bytes mean nothing to a reader.
"""

import dataclasses
from enum import Enum
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from tidegate.model.decision import Decision


def plain(value: Any) -> Any:
    """`value` as dicts, lists, words and numbers."""
    if isinstance(value, Decision):
        return _decision(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Message):
        return MessageToDict(value, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


def _decision(decision: Decision) -> dict[str, Any]:
    shown = {
        field.name: plain(getattr(decision, field.name))
        for field in dataclasses.fields(decision)
        if field.name not in ("columns", "ranking")
    }
    shown["matrix"] = [
        {
            "rule": column.rule,
            "because": column.because,
            "enforced": column.enforced,
            "kind": column.kind.value,
            "allowed": dict(zip(decision.candidates, column.allowed(len(decision.candidates)), strict=True)),
        }
        for column in decision.columns
    ]
    shown["misses"] = plain(decision.misses)
    shown["ranked"] = plain(decision.ranked)
    return shown
