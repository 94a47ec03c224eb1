"""Recorded requests and webhooks, and what it means to have the same shape as one."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent / "evolution"


def request(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The recorded request ``{method, path, headers, body}`` and its response ``{status, body}``."""
    recording = json.loads((ROOT / "requests" / f"{name}.json").read_text())
    return recording["request"], recording["response"]


def webhook(name: str) -> Any:
    """The body of a recorded webhook."""
    return json.loads((ROOT / "webhooks" / f"{name}.json").read_text())["body"]


def shape(value: Any) -> Any:
    """Keys and types: objects by key, lists by the shapes of what is in them, numbers alike, null as null."""
    if isinstance(value, dict):
        return {key: shape(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return sorted({json.dumps(shape(entry), sort_keys=True) for entry in value})
    if isinstance(value, bool) or value is None:
        return type(value).__name__
    return "number" if isinstance(value, int | float) else "text"
