"""django-allauth's hooks: who may sign up, which names are allowed, where a request comes from."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.utils.encoding import force_bytes

from accounts import names
from tasks_ui.access.address import client_address

if TYPE_CHECKING:
    from django.http import HttpRequest

NO_MESSAGE = {"logged_in.txt", "logged_out.txt"}  # the page that follows says it


class AccountAdapter(DefaultAccountAdapter):
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "This name and password don't match.",
        "email_password_mismatch": "This address and password don't match.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGN_UP)

    def clean_username(self, username: str, shallow: bool = False) -> str:
        if not shallow:
            names.check(username)
        return str(super().clean_username(username, shallow))

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """``ThrottledBackend`` counts."""

    def _rollback_login_failed_rl_usage(self) -> None:
        """Nothing was counted."""

    def get_client_ip(self, request: HttpRequest) -> str | None:
        return client_address(request)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return str(self.get_login_redirect_url(request))

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        if message_template and message_template.split("/")[-1] in NO_MESSAGE:
            return
        super().add_message(request, level, message_template, *args, **kwargs)


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return bool(settings.OIDC_SIGN_UP)


class MfaAdapter(DefaultMFAAdapter):
    """Encrypts the secrets of authenticator apps: the database or a backup alone is not enough to
    compute codes."""

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> MultiFernet:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    digests = (hashlib.sha256(b"accounts.mfa" + force_bytes(key)).digest() for key in keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
