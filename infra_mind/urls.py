"""The site map."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import include, path
from django.views.generic import RedirectView

import assessments.rest.api  # noqa: F401  (adds its routes to the API)
from tasks_ui.rest.api import api

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
own_password_page = RedirectView.as_view(pattern_name="password_change")

handler404 = "infra_mind.refusals.not_found"
handler403 = "infra_mind.refusals.not_allowed"

urlpatterns = [
    path("api/v1/", api.urls),
    path("admin/password_change/", login_required(own_password_page)),
    path("admin/", admin.site.urls),
    path("", include("assessments.urls")),
    path("", include("tasks_ui.urls")),
    path("", include("accounts.urls")),
]
