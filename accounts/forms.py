"""django-allauth's forms without the placeholders that repeat the labels."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as account
from allauth.core import context
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp import forms as totp
from django import forms

from tasks_ui.access.audit import Event, record


class PlainMixin(forms.Form):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)


class SignInForm(PlainMixin, account.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = ""  # the page has a link to the reset


class SignUpForm(PlainMixin, account.SignupForm):
    pass


class ChangePasswordForm(PlainMixin, account.ChangePasswordForm):
    pass


class SetPasswordForm(PlainMixin, account.SetPasswordForm):
    pass


class ResetPasswordForm(PlainMixin, account.ResetPasswordForm):
    pass


class ResetPasswordKeyForm(PlainMixin, account.ResetPasswordKeyForm):
    pass


class AddEmailForm(PlainMixin, account.AddEmailForm):
    pass


class ReauthenticateForm(PlainMixin, account.ReauthenticateForm):
    pass


class CodeForm(PlainMixin, mfa.AuthenticateForm):
    def clean_code(self) -> Any:
        try:
            return super().clean_code()
        except forms.ValidationError:
            request = context.request
            record(Event.REFUSED, request=request, by=self.user, about="second factor")
            raise


class CodeAgainForm(PlainMixin, mfa.ReauthenticateForm):
    pass


class ActivateTotpForm(PlainMixin, totp.ActivateTOTPForm):
    pass
