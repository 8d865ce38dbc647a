"""The URLs of the site. Wagtail's come last, because its pattern matches every address."""

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls

from mitxonline.health import health, ready
from mitxonline.media import media
from mitxonline.metrics import metrics

handler500 = "mitxonline.server_error.server_error"

urlpatterns = [
    path("health/", health, name="health"),
    path("health/ready/", ready, name="ready"),
    path("metrics/", metrics, name="metrics"),
    path("", include("mitxonline.users.urls")),  # before the admins, whose own sign-in pages these replace
    path("admin/", admin.site.urls),
    path("cms/", include("b2b.urls")),  # before Wagtail's, one of whose reports it replaces
    path("cms/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include("api.urls")),
    path("", include("ecommerce.urls")),
    path("", include("frontend.urls")),
]

if apps.is_installed("dev.style_guide"):
    urlpatterns += [path("", include("dev.style_guide.urls"))]

if apps.is_installed("dev.demo_lms"):
    urlpatterns += [path("demo_lms/", include("dev.demo_lms.urls"))]

if settings.SERVE_MEDIA:
    prefix = settings.MEDIA_URL.strip("/")
    urlpatterns += [re_path(rf"^{prefix}/(?P<path>.*)$", media, name="media")]

urlpatterns += [path("", include("cms.urls")), path("", include(wagtail_urls))]
