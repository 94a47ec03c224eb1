"""Addresses of which one is broken, to see what is told of an error that nobody thought of."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_whatsapp.urls import handler500 as handler500


class Broken(APIView):
    def get(self, request: Request) -> Response:
        raise ZeroDivisionError("a secret of the inside")


def broken_page(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("a secret of the inside")


urlpatterns = [path("units/broken", Broken.as_view()), path("units/broken-outside", broken_page)]
