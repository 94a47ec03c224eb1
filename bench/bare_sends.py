"""The yardstick of dispatch: a loop of requests with a session in each thread; no rows, no pace.

    python -m bench.bare_sends URL KEY THREADS COUNT < instances.json

prints the sends a second.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from threading import local

import requests


def bare(url: str, key: str, threads: int, count: int, instances: list[str]) -> float:
    """Post `count` texts; sends a second. Raises requests.HTTPError for any answer but a 201."""
    kept = local()

    def send(number: int, instance: str) -> None:
        if not hasattr(kept, "session"):
            kept.session = requests.Session()
            kept.session.trust_env = False
        answer = kept.session.post(
            f"{url}/message/sendText/{instance}",
            json={"number": f"55119{number:08d}", "text": "Lentes com 30% de desconto até sábado"},
            headers={"apikey": key},
            timeout=30,
        )
        answer.raise_for_status()
        answer.json()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(send, range(threads), instances))  # Connections are open before the clock runs.
        started = time.perf_counter()
        list(pool.map(send, range(count), islice(cycle(instances), count)))
        return count / (time.perf_counter() - started)


def main(arguments: list[str]) -> None:
    url, key, threads, count = arguments
    sys.stdout.write(str(bare(url, key, int(threads), int(count), json.load(sys.stdin))))


if __name__ == "__main__":
    main(sys.argv[1:])
