"""Where the bytes of a file come from: a link that the gateway told, or the gateway itself."""

import time
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import requests
from django.conf import settings
from urllib3.exceptions import HTTPError

from units.gateways.evolution import EvolutionService

CONNECT_SECONDS: Final = 5.0
# Between two pieces; all of them have MEDIA_TIMEOUT.
READ_SECONDS: Final = 15.0
PIECE_BYTES: Final = 256 * 1024
_PORTS: Final = {"http": 80, "https": 443}


class TooLarge(ValueError):
    """More than MEDIA_MAX_BYTES; there is no use in trying again."""


def download(url: str) -> bytes | None:
    """The bytes behind a link; None when it leads where we do not go, or to nothing.

    The link comes with a webhook, and whoever knows its secret writes it: only servers of MEDIA_URL_HOSTS are asked,
    no redirect is followed, and nothing of ours (keys, proxies, .netrc) goes along. Raises TooLarge.
    """
    if not _is_allowed(url):
        return None
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(
                url,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                headers={"Accept-Encoding": "identity"},
            ) as response:
                if response.status_code != requests.codes.ok:
                    return None
                return read_whole(response.raw, time.monotonic() + settings.MEDIA_TIMEOUT)
    except (requests.RequestException, HTTPError, OSError, UnicodeError):
        return None


def from_gateway(instance_name: str, external_id: str) -> bytes:
    """The bytes as the gateway gets them from WhatsApp. Raises TooLarge, and GatewayError as `get_media` does."""
    file = EvolutionService(instance_name).get_media(external_id)
    if len(file.content) > settings.MEDIA_MAX_BYTES:
        raise TooLarge
    return file.content


def _is_allowed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.username is None and _place(parts) in {_place(urlsplit(host)) for host in _hosts()}
    except ValueError:
        return False


def _hosts() -> list[str]:
    """As addresses: an entry without a scheme stands for both."""
    hosts: list[str] = settings.MEDIA_URL_HOSTS or [settings.EVOLUTION_URL]
    return [
        address for host in hosts for address in ([host] if "://" in host else [f"http://{host}", f"https://{host}"])
    ]


def _place(parts: SplitResult) -> tuple[str, str, int]:
    """Scheme, host and port. The port counts: on the gateway's machine other servers listen too."""
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0)


def read_whole(body: Any, until: float) -> bytes:
    """The body of an answer, as urllib3 has it, to its end. Raises TooLarge, and TimeoutError at `until` (monotonic).

    What the answer says of its own length is not asked: the bytes are counted.
    """
    pieces: list[bytes] = []
    size = 0
    while piece := body.read1(PIECE_BYTES):
        size += len(piece)
        if size > settings.MEDIA_MAX_BYTES:
            raise TooLarge
        if time.monotonic() > until:
            raise TimeoutError("the file did not end in time")
        pieces.append(piece)
    return b"".join(pieces)
