"""How lists are filtered. Apart from `api`, which the framework reads before there are views."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError as InvalidField
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend, IsoDateTimeFilter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request


class Filters(DjangoFilterBackend):
    """Filters of django-filter. An unknown name is refused: a list that ignored it would be the list of all."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        """Raises ValidationError for values that say nothing, and for names that are no filter."""
        self._refuse_unknown(request, queryset, view)
        return super().filter_queryset(request, queryset, view)

    def _refuse_unknown(self, request: Request, queryset: QuerySet[Any], view: Any) -> None:
        filters = self.get_filterset(request, queryset, view)
        known = set(_names(filters)) if filters else set()
        if view.paginator:
            known |= {view.paginator.cursor_query_param, view.paginator.page_size_query_param}
        if unknown := sorted(set(request.query_params) - known):
            raise ValidationError({name[:100]: [_("There is no such filter.")] for name in unknown}, "unknown_filter")


class _MomentField(IsoDateTimeField):
    def to_python(self, value: Any) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:
            raise InvalidField(self.error_messages["invalid"], "invalid") from error


class MomentFilter(IsoDateTimeFilter):
    """A time, in UTC for the database: PostgreSQL knows of no offset from 16 hours on, ISO 8601 does."""

    field_class = _MomentField


def _names(filters: Any) -> Iterator[str]:
    for name, field in filters.form.fields.items():
        suffixes = getattr(field.widget, "suffixes", None)
        if suffixes:
            yield from (field.widget.suffixed(name, suffix) for suffix in suffixes)
        else:
            yield name
