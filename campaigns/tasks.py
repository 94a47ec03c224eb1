"""What Celery rings for."""

from celery import shared_task

from crm_whatsapp.bell import ring_on_commit

FEED = "campaigns.tasks.feed"
FILL = "campaigns.tasks.fill"


def ring() -> None:
    """A campaign may have something to do."""
    ring_on_commit(FEED)
    ring_on_commit(FILL)


@shared_task(name=FEED)
def feed() -> None:
    """Start what is due, keep lanes fed, finish what is done."""
    from campaigns.feeder import feed_campaigns, start_due

    start_due()
    feed_campaigns()


@shared_task(name=FILL)
def fill() -> None:
    """Make recipients of audiences; apart from feeding, which goes on meanwhile."""
    from campaigns.filling import fill_audiences

    fill_audiences()
