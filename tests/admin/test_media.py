"""Staff see how far the file of a message is, and not the file."""

from django.test import Client

from messaging.models import MediaStatus, MessageMedia
from tests.admin.conftest import Rows


def test_a_message_shows_what_became_of_its_file(page: Client, rows: Rows) -> None:
    MessageMedia.objects.filter(message=rows.message).update(
        status=MediaStatus.FAILED,
        error_code="media_gone",
        error="Error: Failed to fetch stream",
        file="media/x.jpg",
    )
    html = page.get(f"/admin/messaging/message/{rows.message.pk}/change/").text
    assert "media_gone" in html
    assert "Failed to fetch stream" in html
    assert 'x.jpg"' not in html
