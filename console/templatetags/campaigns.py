"""Template vocabulary of the campaigns' pages."""

from django import template
from django.utils.formats import number_format

from campaigns.audience import REASONS
from console.templatetags.console import failure
from messaging.serializers import error_sentence

register = template.Library()


@register.filter
def share(part: int, whole: int) -> str:
    """73,1 % of `whole`; a dash when there is nothing to divide by."""
    return f"{number_format(part * 100 / whole, decimal_pos=1)}\N{NO-BREAK SPACE}%" if whole else "—"


@register.filter
def failed_because(code: str) -> str:
    """Why somebody was left out or did not get it, in words. Server words never reach the page."""
    is_known = str(error_sentence(code)) != code
    return failure(code) if is_known or code not in REASONS else str(REASONS[code])
