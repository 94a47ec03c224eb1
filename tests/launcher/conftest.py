import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_whatsapp.launcher.embedded import EmbeddedServices, fresh_environment

ENVIRON = fresh_environment()


@pytest.fixture
def checkout() -> Iterator[Path]:
    """An empty checkout, open to PostgreSQL's unprivileged user, as pytest's own are not."""
    directory = Path(tempfile.mkdtemp(prefix="checkout-"))
    directory.chmod(0o755)
    yield directory
    EmbeddedServices(directory).remove()
    shutil.rmtree(directory)
