"""The one way out: messages leave here, one at a time per number, and nowhere else.

What happens to a message, in order; each step is one short transaction or one HTTP call, never both:

1. claim      lock due lanes, pick what each sends next (replies before campaigns), lease lane and message
2. dispatch   re-read consent, window, lifetime and lease; commit `dispatching` before the first byte (I3, I9)
3. post       HTTP, in a thread that never touches the database
4. record     the outcome and the lane's next time, within moments of the answer
5. sweep      leases that ran out: claimed → queued, dispatching → uncertain (I4)
"""

from messaging.delivery.loop import Delivery
from messaging.delivery.sweeping import sweep

__all__ = ["Delivery", "sweep"]
