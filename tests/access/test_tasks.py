"""Tasks take nothing from outside: a message on the broker, whoever wrote it, says no more than "look"."""

import inspect

from crm_whatsapp.celery import app


def own_tasks() -> dict[str, object]:
    app.loader.import_default_modules()
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_there_are_tasks() -> None:
    assert len(own_tasks()) > 10


def test_no_task_takes_an_argument() -> None:
    taking = {
        name: list(inspect.signature(task.run).parameters)  # type: ignore[attr-defined]
        for name, task in own_tasks().items()
        if inspect.signature(task.run).parameters  # type: ignore[attr-defined]
    }
    # Of no unit: a letter to whoever has this account, or to nobody.
    assert taking == {"units.tasks.send_password_link": ["user_id", "site"]}


def test_beat_sends_nothing_but_names_of_tasks() -> None:
    for name, entry in app.conf.beat_schedule.items():
        assert entry["task"] in own_tasks(), name
        assert not {"args", "kwargs"} & set(entry), name
