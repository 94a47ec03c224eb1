"""What the sandbox can be told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Settings of the process. Times are seconds, unless the name of the variable says ``_MS``.

    ==============================  ==========  ============================================================
    variable                        default     meaning
    ==============================  ==========  ============================================================
    SANDBOX_API_KEY                 sandbox-key the global key (header ``apikey``)
    SANDBOX_SERVER_URL              (see below) ``server_url`` in webhooks
    SANDBOX_ANSWER_MS               150         how long a send takes until the message is on the wire
    SANDBOX_QR_SECONDS              45          life of a QR code
    SANDBOX_QR_LIMIT                30          QR codes until the gateway gives up (QRCODE_LIMIT)
    SANDBOX_CONNECT_MS              2000        fixed wait in connect; the first QR comes after a fifth
    SANDBOX_CREATE_QR_MS            5000        fixed wait inside ``create`` with ``qrcode: true``
    SANDBOX_DELETE_MS               500         how long a deleted name stays taken
    SANDBOX_MEDIA_GONE_MS           5000        how long it takes to say that WhatsApp no longer has a file
    SANDBOX_RECONNECTS_PER_SECOND   35          ``connection.update`` webhooks while WhatsApp is unreachable
    SANDBOX_ECHO                    on          ``send.message`` webhooks
    SANDBOX_RECEIPTS                delivered   receipts by themselves: off, delivered or read (on)
    SANDBOX_ANSWERING               0           chance (0 to 1) that a customer answers a message by himself
    SANDBOX_EXPOSE_TOKEN            on          the instance token as apikey in webhooks
    SANDBOX_GLOBAL_WEBHOOK_URL      (none)      receives every event besides the instance's own webhook
    SANDBOX_RETRY_BASE              5           first pause before a webhook is tried again; doubles
    SANDBOX_RETRY_MAX               300         longest pause
    SANDBOX_RETRY_ATTEMPTS          10          attempts in all
    SANDBOX_RETRY_TIMEOUT           30          how long the receiver may take
    ==============================  ==========  ============================================================
    """

    api_key: str = "sandbox-key"
    server_url: str = "http://localhost:8080"
    answer_seconds: float = 0.15
    qr_seconds: float = 45.0
    qr_limit: int = 30
    connect_seconds: float = 2.0
    create_qr_seconds: float = 5.0
    delete_seconds: float = 0.5
    media_gone_seconds: float = 5.0
    reconnects_per_second: float = 35.0
    echo: bool = True
    receipts: str = "delivered"
    answering: float = 0.0
    expose_token: bool = True
    global_webhook_url: str = ""
    retry_base: float = 5.0
    retry_max: float = 300.0
    retry_attempts: int = 10
    retry_timeout: float = 30.0

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Config":
        """Read the variables above. Raises ValueError on nonsense, so that it is refused at start."""

        def seconds_from_ms(name: str, default: float) -> float:
            return number(name, default * 1000) / 1000

        def number(name: str, default: float) -> float:
            text = environ.get(f"SANDBOX_{name}", "").strip()
            value = float(text) if text else default
            if value < 0:
                raise ValueError(f"SANDBOX_{name} must not be negative")
            return value

        def switch(name: str, default: bool) -> bool:
            text = environ.get(f"SANDBOX_{name}", "").strip().lower()
            return default if not text else _switch(name, text)

        return cls(
            api_key=environ.get("SANDBOX_API_KEY") or cls.api_key,
            server_url=environ.get("SANDBOX_SERVER_URL") or cls.server_url,
            answer_seconds=seconds_from_ms("ANSWER_MS", cls.answer_seconds),
            qr_seconds=number("QR_SECONDS", cls.qr_seconds),
            qr_limit=int(number("QR_LIMIT", cls.qr_limit)),
            connect_seconds=seconds_from_ms("CONNECT_MS", cls.connect_seconds),
            create_qr_seconds=seconds_from_ms("CREATE_QR_MS", cls.create_qr_seconds),
            delete_seconds=seconds_from_ms("DELETE_MS", cls.delete_seconds),
            media_gone_seconds=seconds_from_ms("MEDIA_GONE_MS", cls.media_gone_seconds),
            reconnects_per_second=number("RECONNECTS_PER_SECOND", cls.reconnects_per_second),
            echo=switch("ECHO", cls.echo),
            receipts=_receipts(environ.get("SANDBOX_RECEIPTS") or cls.receipts),
            answering=_probability(environ.get("SANDBOX_ANSWERING") or "0"),
            expose_token=switch("EXPOSE_TOKEN", cls.expose_token),
            global_webhook_url=environ.get("SANDBOX_GLOBAL_WEBHOOK_URL") or cls.global_webhook_url,
            retry_base=number("RETRY_BASE", cls.retry_base),
            retry_max=number("RETRY_MAX", cls.retry_max),
            retry_attempts=int(number("RETRY_ATTEMPTS", cls.retry_attempts)),
            retry_timeout=number("RETRY_TIMEOUT", cls.retry_timeout),
        )


def _switch(name: str, text: str) -> bool:
    if text in {"1", "on", "true", "yes"}:
        return True
    if text in {"0", "off", "false", "no"}:
        return False
    raise ValueError(f"SANDBOX_{name} must be on or off, not {text!r}")


def _receipts(text: str) -> str:
    mode = {"on": "read", "1": "read", "true": "read", "0": "off", "false": "off"}.get(text.lower(), text.lower())
    if mode not in {"off", "delivered", "read"}:
        raise ValueError(f"SANDBOX_RECEIPTS must be off, delivered or read, not {text!r}")
    return mode


def _probability(text: str) -> float:
    value = {"on": 1.0, "true": 1.0, "off": 0.0, "false": 0.0}.get(text.lower())
    value = float(text) if value is None else value
    if not 0 <= value <= 1:
        raise ValueError("SANDBOX_ANSWERING must be between 0 and 1")
    return value
