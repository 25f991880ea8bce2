"""Signing in, up and out, for a project that has no pages of its own for that.

Anyone may sign up there: leave them out of a project with accounts of its own.
"""

from django.contrib.auth import views as auth
from django.urls import path

from tasks_ui.access import sign_in

urlpatterns = [
    path("sign-in/", sign_in.SignIn.as_view(), name="login"),
    path("sign-up/", sign_in.sign_up, name="sign_up"),
    path("sign-out/", auth.LogoutView.as_view(), name="logout"),
    path("password/", sign_in.change_password, name="password_change"),
]
