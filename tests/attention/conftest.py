"""The bell, as it rings."""

import pytest

from crm_whatsapp import bell


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were rung for, instead of a broker that is told."""
    tasks: list[str] = []
    monkeypatch.setattr(bell, "_ring", tasks.append)
    return tasks
