"""Template vocabulary of the overview."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from console.overview import minutes_in_words, percent

register = template.Library()

register.filter("minutes", minutes_in_words)
register.filter("rate", percent)


@register.filter
def day_and_month(day: date) -> str:
    """24/11"""
    return date_format(day, _("m/d"))


@register.simple_tag(takes_context=True)
def span_query(context: Context, **others: Any) -> str:
    """The query of the days that are shown, with something besides."""
    span = context["span"]
    days = {"days": context["chosen_days"]} if context["chosen_days"] else {"first": span.first, "last": span.last}
    return urlencode(days | others)
