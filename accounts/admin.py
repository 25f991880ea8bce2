"""Invitations, and users whose names can't be mistaken for another's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import allauth.account.admin
import allauth.mfa.admin
import allauth.socialaccount.admin  # noqa: F401  (these are registered before some are taken back)
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialApp, SocialToken
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from accounts import names
from accounts.models import Invitation
from tasks_ui.access.audit import Event, record

if TYPE_CHECKING:
    from django.contrib.admin.options import ModelAdmin
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    InvitationBase = ModelAdmin[Invitation]
    UserBase = UserAdmin[User]
else:  # Django's classes take no parameters when the program runs
    InvitationBase, UserBase = admin.ModelAdmin, UserAdmin

for model in (Authenticator, SocialApp, SocialToken):  # their rows are secrets
    admin.site.unregister(model)
admin.site.unregister(User)


@admin.register(Invitation)
class InvitationAdmin(InvitationBase):
    list_display = ("__str__", "created_by", "created_at", "expires_at", "used_at", "used_by")
    list_select_related = ("created_by", "used_by")
    search_fields = ("note", "created_by__username", "used_by__username")
    readonly_fields = ("link", "created_by", "created_at", "used_at", "used_by")

    @admin.display(description="Link")
    def link(self, invitation: Invitation) -> str:
        if invitation.used_at or not Invitation.objects.open().filter(pk=invitation.pk).exists():
            return "Used or expired"
        return f"{getattr(invitation, 'site', '')}{invitation.path}"

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Invitation | None:
        found = super().get_object(request, *args, **kwargs)
        if found is not None:
            found.site = request.build_absolute_uri("/").rstrip("/")  # type: ignore[attr-defined]
        return found

    def save_model(
        self, request: HttpRequest, obj: Invitation, form: forms.ModelForm[Any], change: bool
    ) -> None:
        if not change:
            obj.created_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)
        if not change:
            record(Event.INVITED, request=request, about=str(obj))

    def response_add(
        self, request: HttpRequest, obj: Invitation, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        link = request.build_absolute_uri(obj.path)
        messages.success(request, f"Send this link. It lets one person sign up, once: {link}")
        return super().response_add(request, obj, *args, **kwargs)


class NewUserForm(AdminUserCreationForm):  # type: ignore[type-arg]
    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"])
        names.check(username)
        return username


class ChangedUserForm(UserChangeForm):  # type: ignore[type-arg]
    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"])
        if username != self.instance.username and names.is_taken(username, but_by=self.instance.pk):
            raise ValidationError("This name is too similar to another.")
        return username


@admin.register(User)
class NamedUserAdmin(UserBase):
    form = ChangedUserForm
    add_form = NewUserForm
    actions = ("remove_second_factor",)

    @admin.action(description="Remove the second factor", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        Authenticator.objects.filter(user__in=users).delete()
        messages.success(
            request, "Removed the second factor. The password alone is enough to sign in."
        )
