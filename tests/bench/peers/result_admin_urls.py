"""django-celery-results' own admin, unmodified, alongside the application's."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import path
from django_celery_results.admin import TaskResultAdmin
from django_celery_results.models import TaskResult

from infra_mind import urls

site = AdminSite(name="results")
site.register(TaskResult, TaskResultAdmin)
urlpatterns = [path("results/", site.urls), *urls.urlpatterns]
