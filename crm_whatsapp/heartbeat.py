"""Signs of life of the processes that serve no HTTP: a file each, touched while they work."""

import time
from pathlib import Path

from django.conf import settings


def beat(process: str) -> None:
    """`process` (worker, beat or pump) is alive and has just done something."""
    path = _path(process)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def age(process: str) -> float:
    """Seconds since the last sign of life; infinite when there never was one."""
    try:
        return time.time() - _path(process).stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _path(process: str) -> Path:
    return settings.HEARTBEAT_DIR / process
