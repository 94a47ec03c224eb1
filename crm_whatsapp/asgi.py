"""The live-event process: server-sent events only (`units.live_views`)."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_whatsapp.settings")

application = get_asgi_application()
