"""The site map."""

from django.contrib import admin
from django.urls import include, path

import assessments.rest.api  # noqa: F401  (adds its routes to the API)
from tasks_ui import health
from tasks_ui.rest.api import api

admin.site.site_header = admin.site.site_title = "Infra Mind administration"
admin.site.index_title = "Administration"
admin.site.enable_nav_sidebar = False  # wide tables need the room

urlpatterns = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
    path("", include("assessments.urls")),
    path("", include("tasks_ui.urls")),
    path("", include("tasks_ui.account_urls")),
]
