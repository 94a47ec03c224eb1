"""Matching of words, by the indexes of words (crm_whatsapp.db.SearchWords)."""

import re
from uuid import UUID

from django.contrib.postgres.search import SearchQueryField
from django.db.models import BooleanField, Func, Value

from crm_whatsapp.db import SearchWords

# Of what a person types, as much as anybody does.
MOST = 200
# As a person writes a number, or a part of it. Fewer digits are in every other number.
_NUMBER = re.compile(r"[\d\s()+./-]*(?:\d[\s()+./-]*){3}")


def has_words(column: str, unit_id: UUID, text: str) -> Func:
    """Condition on rows of a unit: `column` has every word of `text`, in any order, each from its beginning.

    The words are made by the SQL function that makes those of the index, so that both fold alike; a text without any
    matches nothing. The unit is one of the words, since an index of words has no other way to leave out the rows of all
    others; say `unit=` besides (docs/decisions/0012-search.md).
    """
    unit = Func(
        Value(unit_id),
        template="quote_literal((tsvector_to_array(crm_search(%(expressions)s, '')))[1])::tsquery",
        output_field=SearchQueryField(),
    )
    # Letters, digits and single blanks are all that crm_words leaves: nothing that a tsquery could take for its own.
    # 500: a word of 2 KB is an error, and folding can make 18 characters of one.
    words = Func(
        Value(text.replace("\0", "")[:MOST]),
        template=(
            "to_tsquery('simple',"
            " replace(nullif(btrim(left(crm_words(%(expressions)s), 500)), ''), ' ', ':* & ') || ':*')"
        ),
        output_field=SearchQueryField(),
    )
    both = Func(unit, words, template="(%(expressions)s)", arg_joiner=" && ", output_field=SearchQueryField())
    return Func(SearchWords(column), both, template="%(expressions)s", arg_joiner=" @@ ", output_field=BooleanField())


def number_in(text: str) -> str:
    """The digits of a text that is a phone number or a part of one; empty for any other."""
    return re.sub(r"\D", "", text) if _NUMBER.fullmatch(text) else ""
