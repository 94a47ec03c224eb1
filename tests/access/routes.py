"""Every address of the product, as Django's resolver has it, and what the OpenAPI schema says goes in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from rest_framework.views import APIView

from tests.access.world import Populated
from units.models import User
from units.roles import Action

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
SAFE = ("get", "head", "options")


@dataclass(frozen=True)
class Route:
    """`path` as in urls.py; `view` what answers there: a class of the API, or a function."""

    path: str
    view: Any

    def __str__(self) -> str:
        return f"/{self.path}"

    @property
    def names(self) -> list[str]:
        """Of the ids in it."""
        return re.findall(r"<uuid:(\w+)>", self.path)

    @property
    def methods(self) -> list[str]:
        """What an API view does, besides HEAD and OPTIONS."""
        done = [name for name in METHODS if name not in ("head", "options")]
        return [name for name in done if name in self.view.http_method_names and hasattr(self.view, name)]

    def asks(self, method: str) -> Action | None:
        """What the view asks of the caller for a method."""
        asked: Action | None = self.view.reads if method in SAFE else self.view.writes
        return asked

    def at(self, ids: dict[str, Any]) -> str:
        """The address with ids in it; words where it takes a word."""
        path = re.sub(r"<(\w+):(\w+)>", lambda found: str(ids.get(found[2], found[2])), self.path)
        return f"/{path}"


def every_route() -> list[Route]:
    """All that the product answers to."""

    def walk(resolver: URLResolver, prefix: str) -> Iterator[Route]:
        for pattern in resolver.url_patterns:
            path = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, path)
            elif isinstance(pattern, URLPattern):
                yield Route(path, getattr(pattern.callback, "cls", pattern.callback))

    return list(dict.fromkeys(walk(get_resolver(), "")))


def is_api(route: Route) -> bool:
    return isinstance(route.view, type) and issubclass(route.view, APIView)


def unit_routes() -> list[Route]:
    """Those of the API below `/units/{unit_id}`."""
    return [route for route in every_route() if is_api(route) and route.path.startswith("units/<uuid:unit_id>")]


def named(whose: Populated, route: Route) -> dict[str, Any]:
    """The ids in a route, of the unit's rows."""
    return {name: whose.ids.get(name) or whose.ids[model_of(name)] for name in route.names}  # type: ignore[index]


# Names of ids that are no more than part of the name of a model, or of another one.
NAMES = {
    "event": "webhookevent",
    "reply": "cannedreply",
    "person": "user",
    "entry": "auditentry",
    "integration": "membership",
    "webhook": "outgoingwebhook",
    "other": "contact",
}


@cache
def model_of(name: str) -> type[models.Model] | None:
    """What an id is of, by its name in a route, a query or a body: `contact_id`, `tags`; None: nobody knows."""
    stem = re.sub(r"(_ids?|s)$", "", name.lower()).replace("_", "").removeprefix("exclude")
    stem = NAMES.get(stem, stem)
    if stem in ("assignedto", "assignee", "user", "author"):
        return User
    known = {model._meta.model_name: model for model in apps.get_models()}
    if stem in known:
        return known[stem]
    found = [model for label, model in known.items() if stem and label and stem in label]
    return found[0] if len(found) == 1 else None


@cache
def schema() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


def operation(route: Route, method: str) -> dict[str, Any]:
    """What the schema says of it."""
    path = "/" + re.sub(r"<\w+:(\w+)>", r"{\1}", route.path)
    return schema()["paths"].get(path, {}).get(method, {})


def least(route: Route, method: str) -> dict[str, Any]:
    """The smallest body that the schema allows."""
    content = operation(route, method).get("requestBody", {}).get("content", {})
    told = next((_resolved(kind["schema"]) for kind in content.values()), {})
    members = told.get("properties", {})
    return {name: sample(members[name]) for name in told.get("required", []) if name in members}


@dataclass(frozen=True)
class Attempt:
    """A request with ids in it that the one who sends it has no right to."""

    query: dict[str, Any]
    body: dict[str, Any] | None
    multipart: bool = False


def attempts(route: Route, method: str, ids: dict[Any, Any], own: dict[Any, Any]) -> Iterator[Attempt]:
    """Each id that the schema takes in query or body, alone, with each other member of the body, and with each other
    and an id of `own` rows: a file goes with a conversation, a quoted message with a text besides.
    """
    described = operation(route, method)
    for parameter in described.get("parameters", []):
        if parameter["in"] == "query":
            for value in _foreign(parameter["name"], parameter["schema"], ids):
                yield Attempt({parameter["name"]: value}, None)
    content = described.get("requestBody", {}).get("content", {})
    for kind, told in content.items():
        members = _resolved(told["schema"]).get("properties", {})
        required = _resolved(told["schema"]).get("required", [])
        least = {name: sample(members[name]) for name in required if name in members}
        for name, member in members.items():
            for value in _foreign(name, member, ids):
                yield Attempt({}, least | {name: value}, kind.startswith("multipart"))
                # Where nothing is required, what goes with it is not in the schema.
                if kind.startswith("application/json") and not required:
                    for other in members:
                        if other != name:
                            rest = {other: sample(members[other])}
                            yield Attempt({}, rest | least | {name: value})
                            for kept in members:
                                if kept not in (name, other) and members[kept].get("format") == "uuid":
                                    yield Attempt({}, rest | {kept: str(_id(own, kept)), name: value})


def _foreign(name: str, member: dict[str, Any], ids: dict[Any, Any]) -> list[Any]:
    """Values of a member with foreign ids in them; none where it takes no ids."""
    member = _resolved(member)
    if member.get("type") == "array":
        inner = _foreign(name, member.get("items", {}), ids)
        return [[value] for value in inner]
    if member.get("type") == "object" and "properties" in member:
        required = {key: sample(member["properties"][key]) for key in member.get("required", [])}
        return [
            required | {key: value} for key, each in member["properties"].items() for value in _foreign(key, each, ids)
        ]
    if member.get("type") in ("boolean", "integer", "number") or "enum" in member:
        return []
    if name == "filters":
        return [{"field": "tag", "op": "is", "value": str(_id(ids, "tag"))}]
    takes_ids = member.get("format") == "uuid" or (model_of(name) is not None and not member.get("format"))
    if takes_ids or name in ("reply_to", "value"):
        return [str(_id(ids, "message" if name == "reply_to" else name))]
    return []


def _id(ids: dict[Any, Any], name: str) -> Any:
    return ids.get(model_of(name)) or ids["any"]


def questions(route: Route, word: str) -> Iterator[dict[str, Any]]:
    """Queries of a GET: none, and each parameter with something in it; `word` where it takes text."""
    yield {}
    for parameter in operation(route, "get").get("parameters", []):
        if parameter["in"] == "query":
            value = sample(parameter["schema"])
            if isinstance(value, list):
                value = value[0] if value else ""
            yield {parameter["name"]: 0 if isinstance(value, int) else word if isinstance(value, str) else value}


def sample(member: dict[str, Any]) -> Any:
    """Something that a member of the schema would take."""
    member = _resolved(member)
    if "enum" in member:
        return member["enum"][0]
    match member.get("type"), member.get("format"):
        case "array", _:
            return [sample(member.get("items", {}))] * member.get("minItems", 1)
        case "object", _:
            properties = member.get("properties", {})
            return {key: sample(properties[key]) for key in member.get("required", []) if key in properties}
        case "boolean", _:
            return True
        case (("integer" | "number"), _):
            return max(1, member.get("minimum", 1))
        case _, "uuid":
            return str(uuid4())
        case _, "date-time":
            return "2031-01-15T12:00:00Z"
        case _, "date":
            return "2031-01-15"
        case _, "time":
            return "12:00:00"
        case _, "email":
            return "nova@example.com"
        case _, "decimal":
            return "2.5"
    return "Oi" if member.get("maxLength", 9) < 100 else "Bom dia!"


def _resolved(member: dict[str, Any]) -> dict[str, Any]:
    """Without references and alternatives."""
    for _step in range(5):
        if "$ref" in member:
            member = schema()["components"]["schemas"][member["$ref"].rpartition("/")[2]]
        elif options := member.get("allOf") or member.get("oneOf") or member.get("anyOf"):
            member = next((each for each in options if each.get("type") != "null"), options[0])
        else:
            break
    return member
