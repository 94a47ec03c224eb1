"""What others may want to know, told within the transaction of the change. A receiver returns the live changes."""

from django.dispatch import Signal

# `ids`: list of UUIDs of outbound messages whose status has changed; `in_trouble`: those of
# them that failed or are uncertain.
messages_moved = Signal()

# `new_id` takes the place of the outbound message `old_id`, which counts as not sent: a person sends it again.
message_repeated = Signal()

# `absorbed_id` becomes `kept_id` (UUIDs of contacts): receivers move their rows. Sent twice for a merge, since rows may
# come until both contacts are locked. What taking it back needs goes into the dict `before`, under a name of one's own.
contacts_merged = Signal()

# The same arguments: a merge is taken back, and `absorbed_id` is here again.
contacts_parted = Signal()

# `wrote`: list of (UUID of a contact, time): people who wrote to us in their own chat just now, each with the latest of
# what came; nothing from a sync of old messages. Sent before the recipients and conversations of a batch are locked.
contacts_wrote = Signal()

# `opted_out`: list of (UUID of a contact, time): who wants no campaigns from now on, and has not said so before.
contacts_opted_out = Signal()

# `connection`: its number is connected again, after it was away for `away_for` (timedelta), which is longer than
# settings.STALE_AFTER; not sent after a shorter while. Within the transaction of the change, under the row's lock.
number_back = Signal()
