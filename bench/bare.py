"""The yardstick: a Django view that does one INSERT, with the server, the pool and the durability of the product."""

from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path


def insert(request: HttpRequest) -> HttpResponse:
    """Keep the body, answer 200."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO bench_bodies (body) VALUES (%s)", [request.body.decode()])
    # With its length, else it goes out in chunks, which is slower.
    return HttpResponse(headers={"Content-Length": "0"})


urlpatterns = [path("insert", insert)]
application = get_wsgi_application()
