"""How OpenAPI describes our tokens."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class TokenScheme(OpenApiAuthenticationExtension):
    """`Authorization: Bearer crm_…`, a person's API token."""

    target_class = "units.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of a person, or of a program of a unit: it does what they may, within its scopes.",
        }
