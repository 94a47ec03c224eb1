"""A process that does nothing but work off imports, so that its memory is theirs: `python -m bench.import_worker`."""

import json
import resource
import sys
import time
from pathlib import Path

import django


def main() -> None:
    """Work off what waits, and tell how long it took and the most memory that this process ever had."""
    django.setup()
    from messaging.imports.running import run_imports

    begin = time.monotonic()
    run_imports()
    took = time.monotonic() - begin
    sys.stdout.write(json.dumps({"seconds": took, "mebibytes": most_memory() / 2**20}) + "\n")


def most_memory() -> int:
    """Bytes. Not getrusage() on Linux, where a process inherits the figure of the larger one that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
