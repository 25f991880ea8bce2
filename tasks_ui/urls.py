"""Pages of the dashboard. Include them anywhere: ``path("tasks/", include("tasks_ui.urls"))``."""

from django.urls import path

from tasks_ui.access import tokens
from tasks_ui.pages import filters, palette, views
from tasks_ui.rest import api_pages

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("tasks/bulk/", views.bulk, name="bulk_tasks"),
    path("tasks/<uuid:task_id>/toast/", views.toast, name="toast"),
    path("tasks/find/", palette.find_runs, name="find_runs"),
    path("theme/", palette.set_theme, name="set_theme"),
    path("filters/", filters.save, name="save_filter"),
    path("filters/<int:filter_id>/delete/", filters.delete, name="delete_filter"),
    path("connection/", views.connection, name="connection"),
    path("tasks/<uuid:task_id>/cancel/", views.cancel, name="cancel_task"),
    path("tasks/<uuid:task_id>/again/", views.run_again, name="run_task_again"),
    path("tokens/", tokens.tokens, name="api_tokens"),
    path("tokens/<int:token_id>/revoke/", tokens.revoke, name="revoke_token"),
    path("api/v1/docs", api_pages.rest, name="api_docs"),
    path("api/v1/docs/socket", api_pages.socket, name="socket_docs"),
]
