"""What others may want to know of a connection: those above, whom this app does not know."""

from django.dispatch import Signal

# `connection`: as it is now, `was`: its status before. Sent within the transaction of the change, under the row's lock.
# A receiver may return live changes, which are published with those of the connection.
connection_moved = Signal()

# `connection`: its instance, and with it all that the gateway keeps of its messages, is about to be deleted. Sent
# outside of a transaction; whoever listens may ask the gateway a last time, for some seconds.
connection_closing = Signal()

# `connection`: it sends at another pace from now on. Sent within the transaction of the change.
pace_changed = Signal()
