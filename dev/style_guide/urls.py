from django.urls import path

from dev.style_guide.views import style_guide

urlpatterns = [path("style-guide/", style_guide, name="style-guide")]
