from django.contrib import admin
from django.urls import include, path

from tasks_ui.monitoring import health
from tasks_ui.rest.api import api

urlpatterns = [
    path("admin/", admin.site.urls),
    path("letters/", include("letters.urls")),
    # tasks_ui: the pages anywhere, the API and the health check where its scripts look for them
    path("tasks/", include("tasks_ui.urls")),
    path("api/v1/", api.urls),
    path("health/live", health.live),
    path("health/ready", health.ready),
]
