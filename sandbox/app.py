"""The ASGI application: Evolution's routes, and the phones under ``/phone``."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route

from sandbox.config import Config
from sandbox.evolution import EvolutionApp
from sandbox.lifecycle import Lifecycle
from sandbox.messaging import Messaging
from sandbox.phone import Phone, error
from sandbox.state import State
from sandbox.webhooks import WebhookSender


def create_app(config: Config) -> Starlette:
    """One sandbox with its own memory."""
    state = State(config)
    sender = WebhookSender(state)
    lifecycle = Lifecycle(state, sender)
    messaging = Messaging(state, sender)
    phone = Starlette(
        routes=Phone(state, sender, lifecycle, messaging).routes(), exception_handlers={HTTPException: error}
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await state.reset()
        await sender.close()

    async def to_phone(request: Request) -> RedirectResponse:
        return RedirectResponse("/phone/")

    routes = [
        Route("/phone", to_phone),
        Mount("/phone", phone),
        Mount("/", EvolutionApp(state, sender, lifecycle, messaging)),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


app = create_app(Config.from_environ())
