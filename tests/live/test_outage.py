"""The database server goes away and comes back under open streams."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from crm_whatsapp.launcher.embedded import EmbeddedServices, fresh_environment
from crm_whatsapp.launcher.postgres import EmbeddedPostgres
from tests.live.process import LiveProcess
from tests.sandbox_process import ROOT

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("live"), pytest.mark.django_db]


class Site:
    """A database server of our own, with one unit and its token."""

    def __init__(self, services: EmbeddedServices) -> None:
        assert services.postgres
        self.postgres: EmbeddedPostgres = services.postgres
        self.environment = services.environment() | {"CRM_ENV_FILE": os.devnull}
        self.manage("migrate", "-v0")
        told = [line.split() for line in self.manage("seed_demo").splitlines()]
        [self.token] = [words[1] for words in told if words[:1] == ["Token"]]
        [self.unit] = [words[1] for words in told if words[:1] == ["Unit"]][:1]

    def manage(self, *words: str) -> str:
        command = [sys.executable, str(ROOT / "manage.py"), *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def publish(self) -> str:
        """One change; the id of what has changed."""
        changed = str(uuid4())
        with psycopg.connect(self.environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(
                "WITH feed AS (INSERT INTO unit_feeds AS f (unit_id, last_seq) VALUES (%(unit)s, 1) ON CONFLICT"
                " (unit_id) DO UPDATE SET last_seq = f.last_seq + 1 RETURNING last_seq)"
                " INSERT INTO live_events (unit_id, seq, kind, object_id)"
                " SELECT %(unit)s, last_seq, 'message', %(changed)s FROM feed",
                {"unit": self.unit, "changed": changed},
            )
        return changed


@pytest.fixture
def site() -> Iterator[Site]:
    with EmbeddedServices(ephemeral=True, environ=fresh_environment()) as services:
        yield Site(services)


def test_streams_go_on_when_the_database_server_is_back(site: Site, tmp_path: Path) -> None:
    environment = {name: site.environment[name] for name in ("DATABASE_URL", "REDIS_URL")}
    with (
        LiveProcess(tmp_path, **environment) as process,
        process.listen(site.unit, Authorization=f"Bearer {site.token}") as stream,
    ):
        before = site.publish()
        assert stream.next().data["id"] == before
        port = site.postgres.port
        site.postgres.stop()
        site.postgres.start(port)
        after = [site.publish() for _ in range(3)]
        assert [event.data["id"] for event in stream.take(3)] == after
