"""Members, programs, tokens and the audit log, as the API shows and takes them."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from units.models import ApiToken, AuditAction, AuditEntry, Membership
from units.roles import Action, Role


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A person of the unit. `email` is null for who may not manage access."""

    user_id = serializers.UUIDField(read_only=True)
    name = serializers.SerializerMethodField()
    email = serializers.SerializerMethodField()
    role_label = serializers.CharField(source="get_role_display", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "user_id", "name", "email", "role", "role_label", "created_at"]
        read_only_fields = ["id", "created_at", "role"]

    def get_name(self, membership: Membership) -> str:
        return membership.user.shown_name

    def get_email(self, membership: Membership) -> str | None:
        return membership.user.email if Action.MANAGE_ACCESS in self.context["unit"].allowed else None


class AddedMemberSerializer(serializers.ModelSerializer[Membership]):
    """Who was added. The same whether the person had an account or not."""

    email = serializers.EmailField(source="user.email", read_only=True)
    role_label = serializers.CharField(source="get_role_display", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "email", "role", "role_label", "created_at"]
        read_only_fields = fields


class NewMemberSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254, help_text="What the person logs in with.")
    role = serializers.ChoiceField(choices=Role.choices)
    name = serializers.CharField(
        max_length=150, required=False, default="", allow_blank=True, help_text="Of a new account; others keep theirs."
    )

    def validate_email(self, email: str) -> str:
        # The programs of other units have such addresses (`create_integration`).
        if email.lower().endswith(".invalid"):
            raise serializers.ValidationError(_("No mail arrives at this address."))
        return email


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices)


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token that has not been revoked. What it is made of is not kept."""

    begins_with = serializers.CharField(source="prefix", read_only=True)
    unit_id = serializers.UUIDField(read_only=True, allow_null=True, help_text="Null: every unit in which you work.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Action.choices), read_only=True)

    class Meta:
        model = ApiToken
        fields = ["id", "name", "begins_with", "unit_id", "scopes", "expires_at", "last_used_at", "created_at"]
        read_only_fields = ["id", "name", "expires_at", "last_used_at", "created_at"]


class MadeTokenSerializer(TokenSerializer):
    token = serializers.CharField(read_only=True, help_text="Shown this once: keep it now.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class _WithScopes(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Action.choices),
        required=False,
        min_length=1,
        max_length=len(Action),
        help_text="What it may do; without: everything that you may.",
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)

    def validate_expires_at(self, at: Any) -> Any:
        if at and at <= timezone.now():
            raise serializers.ValidationError(_("This time has passed."))
        return at


class NewTokenSerializer(_WithScopes):
    unit_id = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="Null: every unit in which you work."
    )


class NewIntegrationTokenSerializer(_WithScopes):
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Action.choices),
        required=False,
        min_length=1,
        max_length=len(Action),
        help_text="What it may do; without: everything that the integration's role may.",
    )


class NewIntegrationSerializer(NewIntegrationTokenSerializer):
    role = serializers.ChoiceField(choices=Role.choices)


class IntegrationSerializer(serializers.ModelSerializer[Membership]):
    """A program that works in the unit under a name of its own."""

    user_id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(source="user.first_name", read_only=True)
    role_label = serializers.CharField(source="get_role_display", read_only=True)
    last_used_at = serializers.SerializerMethodField()
    tokens = TokenSerializer(source="user.live_tokens", many=True, read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "user_id", "name", "role", "role_label", "last_used_at", "tokens", "created_at"]
        read_only_fields = ["id", "role", "created_at"]

    def get_last_used_at(self, membership: Membership) -> Any:
        used = (token.last_used_at for token in membership.user.live_tokens)  # type: ignore[attr-defined]
        latest = max((at for at in used if at), default=None)
        return latest and serializers.DateTimeField().to_representation(latest)


class MadeIntegrationSerializer(IntegrationSerializer):
    token = serializers.CharField(read_only=True, help_text="Of its first token. Shown this once: keep it now.")

    class Meta(IntegrationSerializer.Meta):
        fields = [*IntegrationSerializer.Meta.fields, "token"]


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    """Somebody did something. `actor_name` is what he was called then; empty: the product itself did it."""

    action = serializers.ChoiceField(choices=AuditAction.choices, read_only=True)
    action_label = serializers.CharField(source="get_action_display", read_only=True)
    actor_id = serializers.UUIDField(read_only=True, allow_null=True)
    details = serializers.DictField(read_only=True, help_text="[before, after] of what was changed; counts; codes.")

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "created_at",
            "action",
            "action_label",
            "actor_id",
            "actor_name",
            "token_name",
            "object_id",
            "object_name",
            "details",
            "request_id",
        ]
        read_only_fields = fields
