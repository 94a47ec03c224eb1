"""What others may want to know, told within the transaction of the change. A receiver returns the live changes."""

from django.dispatch import Signal

# `ids`: list of UUIDs of outbound messages whose status has changed.
messages_moved = Signal()

# `absorbed_id` becomes `kept_id` (UUIDs of contacts): receivers move their rows. Sent twice for a merge, since rows may
# come until both contacts are locked. What taking it back needs goes into the dict `before`, under a name of one's own.
contacts_merged = Signal()

# The same arguments: a merge is taken back, and `absorbed_id` is here again.
contacts_parted = Signal()
