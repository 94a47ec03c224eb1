"""What others may want to know, told within the transaction of the change."""

from django.dispatch import Signal

# `ids`: list of UUIDs of outbound messages whose status has changed.
messages_moved = Signal()
