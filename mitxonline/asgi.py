"""The ASGI application."""

from django.core.asgi import get_asgi_application

from mitxonline.startup import refuse_missing_static_files, refuse_wrong_routes

application = get_asgi_application()
refuse_wrong_routes()
refuse_missing_static_files()
