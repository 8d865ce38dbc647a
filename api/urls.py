"""Addresses."""

from django.urls import URLPattern, URLResolver, path

from api.root import api

urlpatterns: list[URLPattern | URLResolver] = [path("", api.urls)]
