"""Whoever is killed while an audience becomes recipients has lost nothing, and done nothing twice."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.db import connection as database

from campaigns.filling import fill_audiences
from campaigns.models import Campaign
from campaigns.services import CampaignService
from units.models import Unit

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE, SLICE = 3000, 20
FILL = f"import django; django.setup(); from campaigns.filling import fill_audiences; fill_audiences(size={SLICE})"


def process() -> subprocess.Popen[bytes]:
    """One that fills, in the database of the test."""
    told = database.settings_dict
    url = f"postgres://{told['USER']}:{told['PASSWORD']}@{told['HOST']}:{told['PORT']}/{told['NAME']}"
    environment = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "crm_whatsapp.settings"}
    return subprocess.Popen([sys.executable, "-c", FILL], env=environment)


def test_a_process_that_is_killed_in_the_middle_of_an_audience(unit: Unit) -> None:  # I2 I4
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO contacts (unit_id, name) SELECT %s, 'Cliente ' || n FROM generate_series(1, %s) n",
            [unit.pk, PEOPLE],
        )
    made = CampaignService.create(unit=unit, name="Promo", content="Oi", audience={"everyone": True})
    CampaignService(made).dispatch()
    far = 0
    for _ in range(2):
        filling = process()
        while made.recipients.count() == far:
            assert filling.poll() is None
            time.sleep(0.01)
        filling.send_signal(signal.SIGKILL)
        filling.wait()
        far = made.recipients.count()
        # Whole slices and nothing else.
        assert far % SLICE == 0
    assert Campaign.objects.get(pk=made.pk).audience_done_at is None
    fill_audiences()
    made.refresh_from_db()
    assert made.audience_done_at is not None
    assert made.recipients.values("contact").distinct().count() == made.recipients.count() == PEOPLE
