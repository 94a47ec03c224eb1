"""The web process: pages, API, webhooks."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_whatsapp.settings")

application = get_wsgi_application()
