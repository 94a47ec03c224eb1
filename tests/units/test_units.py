"""Units themselves."""

import pytest
from django.core.exceptions import ValidationError

from units.models import Unit
from units.services import create_unit

pytestmark = pytest.mark.django_db


# "localtime" is a file that Python finds on some systems; "posixrules" and "BRT" PostgreSQL alone may know.
@pytest.mark.parametrize("name", ["localtime", "posixrules", "BRT", "Mars/Olympus", "", "\0"])
def test_a_time_zone_that_python_or_postgresql_does_not_know_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        create_unit("Loja", time_zone=name)
    assert not Unit.objects.exists()


def test_the_time_zones_of_the_country_are_known() -> None:
    for name in ("America/Sao_Paulo", "America/Manaus", "America/Noronha", "America/Rio_Branco", "UTC"):
        assert create_unit(name, time_zone=name).time_zone == name
