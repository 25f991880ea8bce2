"""Sign-in, sign-up, sign-out, passwords, email addresses and second factors.

The names are those of django-allauth, which its views and mails use, and those that our own pages
use.
"""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.socialaccount import views as social
from allauth.socialaccount.providers.openid_connect import views as oidc
from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter
from django.urls.converters import StringConverter

from accounts import views


class Base36Converter(StringConverter):
    regex = "[0-9A-Za-z]+"


register_converter(Base36Converter, "base36")
sign_in, sign_up = views.SignIn.as_view(), views.SignUp.as_view()
change_password = views.ChangePassword.as_view()
sign_out = LogoutView.as_view()
RESET = "password/reset/<base36:uidb36>-<str:key>/"
CODES = "two-factor/codes/"

urlpatterns = [
    path("sign-in/", sign_in, name="login"),
    path("sign-in/", sign_in, name="account_login"),
    path("sign-in/code/", mfa.authenticate, name="mfa_authenticate"),
    path("sign-in/inactive/", account.account_inactive, name="account_inactive"),
    path("sign-in/again/", account.reauthenticate, name="account_reauthenticate"),
    path("sign-in/again/code/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("sign-up/", sign_up, name="sign_up"),
    path("sign-up/", sign_up, name="account_signup"),
    path("sign-up/<str:token>/", sign_up, name="invitation"),
    path("sign-out/", sign_out, name="logout"),
    path("sign-out/", sign_out, name="account_logout"),
    path("password/", change_password, name="password_change"),
    path("password/", change_password, name="account_change_password"),
    path("password/set/", account.password_set, name="account_set_password"),
    path("password/reset/", views.ResetPassword.as_view(), name="account_reset_password"),
    path("password/reset/sent/", account.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path(RESET, account.password_reset_from_key, name="account_reset_password_from_key"),
    path("email/", views.MailAddresses.as_view(), name="account_email"),
    path("email/sent/", account.email_verification_sent, name="account_email_verification_sent"),
    path("email/<str:key>/", account.confirm_email, name="account_confirm_email"),
    path("two-factor/", mfa.index, name="mfa_index"),
    path("two-factor/app/", totp.activate_totp, name="mfa_activate_totp"),
    path("two-factor/app/remove/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path(CODES, recovery.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "two-factor/codes/new/",
        recovery.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "two-factor/codes/file/",
        recovery.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path("oidc/cancelled/", social.login_cancelled, name="socialaccount_login_cancelled"),
    path("oidc/error/", social.login_error, name="socialaccount_login_error"),
    path("oidc/sign-up/", social.signup, name="socialaccount_signup"),
    path("oidc/accounts/", social.connections, name="socialaccount_connections"),
    path("oidc/<str:provider_id>/", oidc.login, name="openid_connect_login"),
    path("oidc/<str:provider_id>/callback/", oidc.callback, name="openid_connect_callback"),
]
