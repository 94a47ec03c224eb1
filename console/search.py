"""What is found from any page: conversations by who or what was said, contacts, campaigns."""

from dataclasses import dataclass, field

from campaigns.models import Campaign
from messaging import search
from messaging.models import Contact, Conversation
from messaging.search import Hit
from units.models import Unit
from units.roles import Action

SHORTEST = 2
LONGEST = 120
# Of each kind, on the page and below the field.
MANY, FEW = 8, 5


@dataclass(frozen=True, slots=True)
class Found:
    """The first of each kind for `q`; whoever wants more goes on in the list of that kind."""

    q: str
    conversations: list[tuple[Conversation, Hit | None]] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    campaigns: list[Campaign] = field(default_factory=list)

    @property
    def is_asked(self) -> bool:
        return len(self.q) >= SHORTEST

    @property
    def is_empty(self) -> bool:
        return not (self.conversations or self.contacts or self.campaigns)


def find(unit: Unit, text: str, *, most: int = MANY) -> Found:
    """What `unit.allowed` may see of it; a constant number of queries."""
    q = text.replace("\0", "").strip()[:LONGEST]
    if len(q) < SHORTEST:
        return Found(q)
    chats = Conversation.objects.filter(search.conversations(unit, q), unit=unit).select_related("contact")
    rows = list(chats.prefetch_related("contact__addresses").order_by("-last_message_at", "-id")[:most])
    hits = search.hits(rows, unit, q)
    found = Found(q, [(row, hits.get(row.pk)) for row in rows])
    if Action.READ_CONTACTS in unit.allowed:
        people = Contact.objects.people().matching(unit.pk, q).prefetch_related("addresses")
        found.contacts.extend(people.order_by("name", "id")[:most])
    if Action.READ_CAMPAIGNS in unit.allowed:
        named = Campaign.objects.filter(unit=unit, archived_at=None, name__icontains=q)
        found.campaigns.extend(named.order_by("-created_at", "-id")[:most])
    return found
