"""What a gateway tells about messages, applied: many events at once, in any order, any number of times (I2)."""

from messaging.inbound.batch import Outcome, Told
from messaging.inbound.handler import MessageHandlerService

__all__ = ["MessageHandlerService", "Outcome", "Told"]
