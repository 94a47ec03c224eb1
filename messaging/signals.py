"""What others may want to know, told within the transaction of the change."""

from django.dispatch import Signal

# `ids`: list of UUIDs of outbound messages whose status has changed. A receiver returns the live changes that follow.
messages_moved = Signal()
