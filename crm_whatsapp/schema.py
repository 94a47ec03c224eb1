"""How OpenAPI describes what all of the API has in common: names, keys, headers, errors and live events."""

import re
from collections.abc import Iterator
from typing import Any

from django.urls import Resolver404, resolve
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from drf_standardized_errors.openapi import AutoSchema as StandardizedErrorsSchema
from rest_framework.serializers import BaseSerializer

from crm_whatsapp.errors import ErrorsSerializer

_ANY_ID = "00000000-0000-7000-8000-000000000000"
_CHANGING = {"POST": "create", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}
_REQUEST_ID = OpenApiParameter(
    "X-Request-ID",
    str,
    OpenApiParameter.HEADER,
    response=True,
    description="What our log calls this request: yours, if you send one of 8 to 64 letters, digits, `.`, `_` or `-`.",
)
_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[429, 503],
    description="Seconds until it is worth another try.",
)
_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[!-~]+$"},
    OpenApiParameter.HEADER,
    description=(
        "Any name of your own for this request, such as a UUID. Sent again within a day, the same request gets the same"
        " answer and does nothing; another request gets 409 `idempotency_key_reused`."
    ),
)
_LOCATION = OpenApiParameter(
    "Location",
    str,
    OpenApiParameter.HEADER,
    response=[201],
    description="Where the new thing is, if it has one of its own.",
)
# What an error of each status looks like: type, code, detail, attr.
_ERRORS: dict[str, tuple[str, str, str, str | None]] = {
    "400": ("validation_error", "required", "This field is required.", "name"),
    "401": ("client_error", "authentication_failed", "This token is not valid.", None),
    "403": ("client_error", "permission_denied", "Your role in this unit does not allow this. Ask its owner.", None),
    "404": ("client_error", "not_found", "Not found.", None),
    "406": ("client_error", "not_acceptable", "Could not satisfy the request Accept header.", None),
    "409": ("client_error", "conflict", "This is not possible in its current state.", None),
    "413": ("client_error", "too_large", "This is too large.", None),
    "415": ("client_error", "unsupported_media_type", 'Unsupported media type "text/plain" in request.', None),
    "429": ("client_error", "throttled", "Request was throttled. Expected available in 12 seconds.", None),
    "500": ("server_error", "error", "A server error occurred.", None),
    "503": (
        "server_error",
        "busy",
        "Others are changing the same at this moment. Try again in a few seconds.",
        None,
    ),
    "502": ("server_error", "gateway_unavailable", "The WhatsApp server did not answer. Try again in a minute.", None),
}


class AutoSchema(StandardizedErrorsSchema):
    """One operation. Its name is that of the route, so that the two cannot drift apart."""

    def get_operation_id(self) -> str:
        route = self._route()
        if route is None:
            return super().get_operation_id()
        methods = {method for method in self.view.allowed_methods if method not in ("HEAD", "OPTIONS")}
        if self.method == "GET":
            verb = "list" if self._is_list_view() else "get" if len(methods) > 1 else ""
        else:
            verb = _CHANGING[self.method] if len(methods) > 1 else ""
        return "_".join(filter(None, [*route.split("-"), verb]))

    def get_summary(self) -> str | None:
        """The first sentence of the description, for lists of operations."""
        summary = super().get_summary()
        if summary or not (description := self.get_description()):
            return summary
        return re.split(r"[.:](?:\s|$)", description.replace("\n", " "), maxsplit=1)[0]

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = [*super().get_override_parameters(), _REQUEST_ID, _RETRY_AFTER, _LOCATION]
        if self.method == "POST" and getattr(self.view, "answers_once", False):
            parameters.append(_KEY)
        return parameters

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        # In Python these are letters and digits of all languages, in ECMAScript, which OpenAPI reads, of English.
        if re.search(r"\\[wd]", schema.get("pattern", "")):
            del schema["pattern"]

    def _should_add_error_response(self, responses: dict[str, Any], status_code: str) -> bool:
        if status_code in responses:
            return False
        if status_code == "400":
            # At least a bad query (page, filter or text) or a bad key.
            asked = self._parameters_in("query") or self._parameters_in("header")
            return bool(asked) or self._takes_body() or self._is_list_view()
        if status_code == "403":
            return hasattr(self.view, "reads")
        if status_code in ("409", "503"):
            return self.method != "GET"
        if status_code in ("413", "415"):
            return self._takes_body()
        return super()._should_add_error_response(responses, status_code)

    def _get_error_response_serializer(self, status_code: str) -> Any:
        return ErrorsSerializer

    def _get_error_response_examples(self) -> list[OpenApiExample]:
        return [
            OpenApiExample(
                code,
                {"type": kind, "errors": [{"code": code, "detail": detail, "attr": attr}]},
                response_only=True,
                status_codes=[status],
            )
            for status, (kind, code, detail, attr) in _ERRORS.items()
        ]

    def _takes_body(self) -> bool:
        return self.method in ("POST", "PUT", "PATCH") and isinstance(
            self._instance_of(self.get_request_serializer()), BaseSerializer
        )

    @staticmethod
    def _instance_of(serializer: Any) -> Any:
        if isinstance(serializer, dict):
            serializer = next(iter(serializer.values()), None)
        return serializer() if isinstance(serializer, type) else serializer

    def _parameters_in(self, place: str) -> list[Any]:
        return [parameter for parameter in self._get_parameters() if parameter["in"] == place]

    def _route(self) -> str | None:
        try:
            return resolve(re.sub(r"{\w+}", _ANY_ID, self.path)).url_name
        except Resolver404:
            return None


def add_events(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Hook of drf-spectacular: the live events, which are no view of the framework's."""
    operation = {
        "operationId": "events",
        "summary": "Live events",
        "description": (
            "What changes in the unit, as server-sent events: `id` is the `seq` of `/changes`, `event` the kind"
            " (message, conversation, contact, connection, campaign …), `data` JSON with the `id` of what changed."
            " Goes on after `Last-Event-ID`, so that nothing is missed and nothing comes twice. Without it: what"
            " comes next."
        ),
        "tags": ["events"],
        "security": [{"token": []}, {"cookieAuth": []}],
        "parameters": [
            {"name": "unit_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
            {"name": "Last-Event-ID", "in": "header", "schema": {"type": "integer", "minimum": 0}},
            {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 0}},
        ],
        "responses": {
            "200": {"description": "", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **{status: dict(_error_response(status)) for status in ("400", "401", "403", "404", "429")},
            "501": {"description": "Asked of a process that does not serve them.", **_ERROR_CONTENT},
            "503": {
                "description": "Too many streams are open; `Retry-After` says when to try again.",
                **_ERROR_CONTENT,
            },
        },
    }
    result["paths"]["/units/{unit_id}/events"] = {"get": operation}
    return result


_ERROR_CONTENT = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}}}


def _error_response(status: str) -> Iterator[tuple[str, Any]]:
    yield "description", _ERRORS[status][2]
    yield from _ERROR_CONTENT.items()
