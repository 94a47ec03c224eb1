"""The live-event process: who may listen is asked by Django, the streams are `units.streams`."""

import os
import resource

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_whatsapp.settings")
# Each request comes in a thread of its own, which would open, and leave behind, a database connection of its own.
os.environ.setdefault("DATABASE_POOL", "true")

# One file for each stream; many systems begin with 1,024. Above this nobody has measured.
_FILES = 65_536
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if 0 <= _soft < _FILES:
    _most = _FILES if _hard == resource.RLIM_INFINITY else min(_FILES, _hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _hard))

_django = get_asgi_application()

from units.live_views import WithStreams  # noqa: E402 - models, once Django is set up

application = WithStreams(_django)
