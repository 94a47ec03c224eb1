"""E-mails about what needs a person: what happened, what it means for messages, what to do, and where."""

from django.conf import settings
from django.urls import reverse
from django.utils import translation

from attention.kinds import KINDS
from attention.models import Episode
from units.letters import write_to_members


def write(episode: Episode) -> int:
    """Write to each member who may do something about it and wants e-mails; the number of them.

    In the language of the installation: nobody has chosen another one. Raises what the mail server raises.
    """
    concern = KINDS[episode.kind]
    with translation.override(settings.LANGUAGE_CODE):
        letter = concern.letter(episode)
        if letter is None:
            return 0
        link = settings.CONSOLE_URL + reverse(f"console:{letter.page}", args=[episode.unit_id, *letter.args])
        body = f"{letter.happened}\n\n{letter.means}\n\n{letter.do} {link}"
        return write_to_members(episode.unit, concern.asks, letter.subject, body)
