"""Admin of tokens and of the audit log."""

import json
from typing import Any, cast

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from units import tokens
from units.admin_forms import TokenForm
from units.model_admin import ModelAdmin, ReadOnlyAdmin
from units.models import ApiToken, AuditEntry, User
from units.roles import Action


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    """Tokens for programs. Shown once, when made; one that is revoked stays in the list."""

    list_display = ["name", "prefix", "user", "unit", "expires_at", "last_used_at", "revoked_at"]
    list_filter = [("user", AutocompleteSelectFilter), ("unit", AutocompleteSelectFilter)]
    list_select_related = ["user", "unit"]
    search_fields = ["name", "prefix", "user__email"]
    autocomplete_fields = ["user", "unit"]
    ordering = ["-id"]
    form = TokenForm
    fields = ["user", "unit", "name", "scopes", "expires_at"]
    actions_detail = ["revoke"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return list(self.fields)
        return ["user", "unit", "name", "prefix", "may", "expires_at", "last_used_at", "revoked_at", "created_by"]

    @display(description=pgettext_lazy("token", "may"))
    def may(self, token: ApiToken) -> str:
        return ", ".join(str(Action(scope).label) for scope in token.scopes)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        token, secret = tokens.mint(
            obj.user,
            obj.name,
            by=cast(User, request.user),
            units=tokens.reach(obj.user, obj.unit),
            unit=obj.unit,
            scopes=[Action(scope) for scope in obj.scopes],
            expires_at=obj.expires_at,
        )
        # What was made is what the page goes on with; it keeps no token.
        obj.pk = token.pk
        obj.refresh_from_db()
        messages.warning(request, _("Copy the token now, it is not shown again: %(token)s") % {"token": secret})

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        # Never kept by a cache: the next page shows the token.
        response = super().response_add(request, obj, post_url_continue)
        response["Cache-Control"] = "no-store"
        return response

    @action(
        description=_("Revoke"),
        icon="key_off",
        variant=ActionVariant.DANGER,
        permissions=["act"],
        dialog={
            "title": _("Revoke this token?"),
            "description": _("The program that uses it is refused from its next request on."),
            "form_submit_text": _("Revoke"),
        },
    )
    def revoke(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        token = self.object_or_404(request, object_id)
        if tokens.revoke(token):
            self.log_change(request, token, str(_("Revoked")))
        return self.leave_dialog(request, self.address("changelist"))


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """What was done in the units, and by whom. The database lets nobody change it."""

    list_display = ["created_at", "unit", "action", "object_name", "who", "token_name"]
    list_filter = [
        ("unit", AutocompleteSelectFilter),
        ("action", ChoicesDropdownFilter),
        ("actor", AutocompleteSelectFilter),
        ("created_at", RangeDateTimeFilter),
    ]
    list_select_related = ["unit"]
    search_fields = ["object_name", "actor_name"]
    ordering = ["-created_at", "-id"]
    fields = [
        "created_at",
        "unit",
        "action",
        ("object_name", "object_id"),
        ("who", "token_name"),
        "what_changed",
        "request_id",
    ]

    @display(description=_("who"), ordering="actor_name")
    def who(self, entry: AuditEntry) -> str:
        return entry.actor_name or str(_("The product itself"))

    @display(description=_("details"))
    def what_changed(self, entry: AuditEntry) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(entry.details, indent=2, ensure_ascii=False))
