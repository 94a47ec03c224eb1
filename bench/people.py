"""Units to post to."""

from bench.load import Target
from tests.factories import CONNECTED, hook
from units.models import WhatsAppConnection
from units.services import create_unit


def targets(count: int) -> list[Target]:
    """So many new units with a connected number, as addresses to post to."""
    made = []
    for number in range(count):
        unit = create_unit(f"Ótica {number + 1}", owner=None)
        WhatsAppConnection.objects.filter(unit=unit).update(**CONNECTED)
        connection = WhatsAppConnection.objects.get(unit=unit)
        made.append(Target(hook(connection), connection.instance_name))
    return made
