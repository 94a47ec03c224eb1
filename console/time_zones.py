"""Time zones as people call them, and back."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# As Brazilians write them; the database of zones has neither accents nor Brasília.
BRAZIL: Final[Mapping[str, str]] = {
    "America/Sao_Paulo": "Brasília (São Paulo)",
    "America/Bahia": "Salvador (Bahia)",
    "America/Fortaleza": "Fortaleza",
    "America/Recife": "Recife",
    "America/Maceio": "Maceió",
    "America/Belem": "Belém",
    "America/Araguaina": "Araguaína (Tocantins)",
    "America/Santarem": "Santarém (Pará)",
    "America/Campo_Grande": "Campo Grande",
    "America/Cuiaba": "Cuiabá",
    "America/Porto_Velho": "Porto Velho",
    "America/Boa_Vista": "Boa Vista",
    "America/Manaus": "Manaus",
    "America/Rio_Branco": "Rio Branco (Acre)",
    "America/Eirunepe": "Eirunepé (Amazonas)",
    "America/Noronha": "Fernando de Noronha",
}
_AREAS: Final[Mapping[str, str | Promise]] = {
    "Africa": _("Africa"),
    "America": _("America"),
    "Antarctica": _("Antarctica"),
    "Arctic": _("Arctic"),
    "Asia": _("Asia"),
    "Atlantic": _("Atlantic"),
    "Australia": _("Australia"),
    "Europe": _("Europe"),
    "Indian": _("Indian Ocean"),
    "Pacific": _("Pacific"),
}


def name_of(zone: str) -> str:
    """Brasília (São Paulo), GMT−3 · Lisbon (Europe), GMT+0; what is no place stays as it is."""
    area, _slash, place = zone.partition("/")
    if zone in BRAZIL:
        named = BRAZIL[zone]
    elif area in _AREAS:
        named = f"{place.rpartition('/')[2].replace('_', ' ')} ({_AREAS[area]})"
    else:
        return zone
    return f"{named}, {_offset(zone)}"


def _offset(zone: str) -> str:
    """GMT−3, as it is today."""
    offset = timezone.now().astimezone(ZoneInfo(zone)).utcoffset() or timedelta()
    hours, minutes = divmod(abs(int(offset.total_seconds())) // 60, 60)
    sign = "\N{MINUS SIGN}" if offset < timedelta() else "+"
    return f"GMT{sign}{hours}{f':{minutes:02d}' if minutes else ''}"


@cache
def _known() -> tuple[str, ...]:
    """The zones of places: those of Brazil, then the others."""
    others = sorted(name for name in available_timezones() if name.partition("/")[0] in _AREAS and name not in BRAZIL)
    return (*BRAZIL, *others)


def offered() -> list[str]:
    """The names to choose from."""
    return list(dict.fromkeys(name_of(zone) for zone in _known()))


def zone_of(text: str) -> str:
    """The zone that is called `text`; of several names of one place the first. What nobody calls so stays."""
    wanted = text.strip()
    return next((zone for zone in _known() if wanted.casefold() == name_of(zone).casefold()), wanted)
