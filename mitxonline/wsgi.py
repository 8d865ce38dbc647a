"""The WSGI application."""

from django.core.wsgi import get_wsgi_application

from mitxonline.startup import refuse_missing_static_files, refuse_wrong_routes

application = get_wsgi_application()
refuse_wrong_routes()
refuse_missing_static_files()
