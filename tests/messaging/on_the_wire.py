"""What left, and what we believe of it."""

from messaging.delivery import Delivery
from messaging.models import Message
from tests.sandbox_process import Sandbox


def texts(sandbox: Sandbox, phone: str) -> list[str]:
    return [message["text"] for message in sandbox.sent(phone)]


def statuses() -> list[str]:
    return list(Message.objects.order_by("id").values_list("status", flat=True))


def deliver(seconds: float = 5) -> int:
    return Delivery().run(seconds=seconds)
