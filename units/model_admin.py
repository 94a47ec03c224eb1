"""What the admin pages of all apps have in common."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.core.exceptions import FieldError, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from unfold.admin import ModelAdmin as UnfoldModelAdmin


class CappedPaginator(Paginator):
    """Counts at most `MOST` rows: counting millions takes seconds, and nobody turns to page 200."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        # Nothing is sorted, or computed for each row, only to be counted.
        return rows.order_by().values("pk")[: self.MOST].count()


class ModelAdmin(UnfoldModelAdmin):
    """Lists that stay fast, saves that touch only what was edited, actions by POST alone.

    Nothing is deleted here unless a subclass allows it: Django's collector would load a unit's whole history.
    """

    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = True
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    warn_unsaved_form = True
    paginator: Any = CappedPaginator
    # Each says whose time it tells.
    list_after_template = change_form_after_template = "admin/units/time_zone.html"
    # From a row to the zone of its unit; whatever has none is told in the installation's.
    zone_of_row = "unit__time_zone"

    def get_urls(self) -> Any:
        """The pages of one row, its dialogs with them, tell and take times as the clocks of its unit show them."""
        patterns = super().get_urls()
        for pattern in patterns:
            if "<path:object_id>" in str(pattern.pattern):
                pattern.callback = self._by_its_clocks(pattern.callback)
        return patterns

    def _by_its_clocks(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with timezone.override(self._zone(kwargs["object_id"])):
                answer = view(request, *args, **kwargs)
                # Django would do it later, by other clocks.
                return answer.render() if isinstance(answer, TemplateResponse) else answer

        return shown

    def _zone(self, object_id: str) -> str | None:
        rows: Any = self.model._base_manager
        try:
            return rows.filter(pk=object_id).values_list(self.zone_of_row, flat=True).first()
        except (FieldError, ValidationError, ValueError):
            return None

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # Rights to the actions are methods: Unfold's system check looks up a right named "app.codename", and so
    # fails on a database without tables, before the first migration.

    def has_act_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may change such rows may act on them, also where the form itself is read-only."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting through a service, which does it in the database."""
        return request.user.has_perm(f"{self.opts.app_label}.delete_{self.opts.model_name}")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Write the edited columns, not the row read before: workers move statuses while a form is open."""
        if change:
            obj.save(update_fields=self.fields_to_save(form))
        else:
            super().save_model(request, obj, form, change)

    def fields_to_save(self, form: ModelForm) -> list[str]:
        """Names of the model's own columns that the person edited."""
        return [field.name for field in form._meta.model._meta.concrete_fields if field.name in form.changed_data]

    def object_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """The object an action is about. Raises Http404."""
        obj = self.get_object(request, object_id)
        if obj is None:
            raise Http404(_("There is no such object."))
        return obj

    def address(self, page: str, *args: Any) -> str:
        """URL of one of this model's pages: `changelist`, `change` …"""
        return reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{page}", args=args)

    def erase_row(self, request: HttpRequest, object_id: str, erase: Callable[[Any], Any]) -> HttpResponse:
        """Delete the row by `erase`, with a note that stays, and go to the list. What `erase` raises undoes both."""
        row = self.object_or_404(request, object_id)
        name = str(row)
        with transaction.atomic():
            self.log_deletions(request, [row])
            erase(row)
        messages.success(request, _("“%(name)s” was deleted.") % {"name": name})
        return self.leave_dialog(request, self.address("changelist"))

    def leave_dialog(self, request: HttpRequest, url: str) -> HttpResponse:
        """Go on to `url` after a dialog, which htmx posts, or a browser without scripts itself."""
        if request.headers.get("HX-Request"):
            return HttpResponseClientRedirect(url)
        return HttpResponseRedirect(url)


class ReadOnlyAdmin(ModelAdmin):
    """For rows that only the system writes, of which there are soon millions: found by filters, newest first."""

    # By a column without an index, all of them would be read and sorted. None, where they are few: by any column.
    sortable_by: Any = []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
