"""Who may sign up, with which names, and how people recover access."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from accounts import names
from accounts.models import Invitation

if TYPE_CHECKING:
    from django.core.mail import EmailMessage
    from pytest_django import Settings

PASSWORD = "correct horse battery"


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", "alice@example.org", PASSWORD)


@pytest.fixture
def mail_is_set_up(settings: Settings) -> None:
    settings.HAS_MAIL = True
    settings.ACCOUNT_LOGIN_METHODS = {"username", "email"}
    settings.ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"


def sign_up(
    name: str, *, page: str = "/sign-up/", client: Client | None = None, **more: str
) -> Any:
    form = {"username": name, "password1": PASSWORD, "password2": PASSWORD, **more}
    return (client or Client()).post(page, form)


def sign_in(name: str, password: str = PASSWORD) -> Any:
    return Client().post("/sign-in/", {"login": name, "password": password})


def users() -> set[str]:
    return set(User.objects.values_list("username", flat=True))


def words(answer: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


@pytest.mark.django_db
def test_nobody_signs_up_on_a_server_unless_that_is_asked_for(settings: Settings) -> None:
    assert settings.SIGN_UP is False  # the tests run with DATABASE_URL
    settings.CONTACT = "ops@example.org"
    assert "You need an invitation" in words(Client().get("/sign-up/"))
    refused = sign_up("carol")
    assert refused.status_code == 403 and "Ask ops@example.org" in words(refused)
    assert users() == set()
    assert "Sign up" not in words(Client().get("/sign-in/"))


@pytest.mark.django_db
def test_a_person_signs_up_changes_the_password_and_signs_out(settings: Settings) -> None:
    settings.SIGN_UP = True
    client, other = Client(), Client()
    assert sign_up("carol", client=client)["Location"] == "/"
    assert other.post("/sign-in/", {"login": "carol", "password": PASSWORD})["Location"] == "/"
    new = "another long one"
    change = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert client.post("/password/", change)["Location"] == "/"
    assert client.get("/").status_code == 200  # this session stays
    assert other.get("/").status_code == 302  # the other one ends
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302
    assert "don't match" in words(sign_in("carol"))
    assert sign_in("carol", new)["Location"] == "/"


@pytest.mark.django_db
def test_an_invitation_lets_one_person_in_once() -> None:
    invitation = Invitation.objects.create(note="Carol of finance")
    assert Client().get(invitation.path).status_code == 200
    assert sign_up("carol", page=invitation.path)["Location"] == "/"
    assert users() == {"carol"}
    invitation.refresh_from_db()
    assert invitation.used_by is not None and invitation.used_by.username == "carol"
    again = sign_up("mallory", page=invitation.path)
    assert again.status_code == 404 and "no longer valid" in words(again)
    assert users() == {"carol"}


@pytest.mark.django_db
def test_an_expired_or_forged_or_deleted_invitation_lets_nobody_in() -> None:
    expired = Invitation.objects.create(expires_at=timezone.now() - timedelta(seconds=1))
    deleted = Invitation.objects.create()
    path = deleted.path
    deleted.delete()
    live = Invitation.objects.create()
    forged = live.path.replace(live.pk.hex[:4], "0000")
    unsigned = f"/sign-up/{live.pk.hex}/"
    for page in (expired.path, path, forged, unsigned):
        assert sign_up("mallory", page=page).status_code == 404
    assert users() == set()


@pytest.mark.django_db
def test_a_refused_form_leaves_the_invitation_unused(alice: User) -> None:
    invitation = Invitation.objects.create()
    assert "is taken" in words(sign_up("ALICE", page=invitation.path))
    assert sign_up("carol", page=invitation.path)["Location"] == "/"


def test_of_two_who_use_an_invitation_at_once_one_gets_in(transactional_db: None) -> None:
    invitation = Invitation.objects.create()
    start = threading.Barrier(2)
    statuses: list[int] = []

    def join(name: str) -> None:
        client = Client()
        try:
            client.get(invitation.path)
            start.wait(30)
            statuses.append(sign_up(name, page=invitation.path, client=client).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=join, args=(name,)) for name in ("carol", "dave")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(users()) == 1
    assert 302 in statuses and len(statuses) == 2


@pytest.mark.django_db
def test_an_owner_invites_from_the_shell_and_in_the_admin(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call_command("invite", "--note", "Dave", "--url", "https://infra.example/")
    link = capsys.readouterr().out.splitlines()[-1]
    assert link.startswith("https://infra.example/sign-up/")
    assert sign_up("dave", page=link.removeprefix("https://infra.example"))["Location"] == "/"

    owner = Client()
    owner.force_login(User.objects.create_superuser("olga"))
    form = {"note": "Erin", "expires_at_0": "2099-01-01", "expires_at_1": "00:00:00"}
    added = owner.post("/admin/accounts/invitation/add/", form, follow=True)
    found = re.search(r"http://testserver(/sign-up/\S+/)", words(added))
    assert found
    assert Invitation.objects.get(note="Erin").created_by == User.objects.get(username="olga")
    assert sign_up("erin", page=found[1])["Location"] == "/"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    [
        "Alice",
        "a1ice",
        "al1ce",
        "a.lice",
        "\u0430lice",  # CYRILLIC SMALL LETTER A
        "ali\u0441e",
        "\uff41lice",  # FULLWIDTH LATIN SMALL LETTER A
        "alice\u200b",
        "-a",
        "a b",
    ],
)
def test_a_name_that_looks_like_alices_is_refused(
    alice: User, settings: Settings, name: str
) -> None:
    settings.SIGN_UP = True
    assert sign_up(name).status_code == 200
    assert users() == {"alice"}


@pytest.mark.django_db
def test_the_admin_refuses_look_alikes_too_and_keeps_names_from_before(alice: User) -> None:
    User.objects.create_user("\u0410\u043b\u0438\u0441\u0430", password=PASSWORD)
    assert sign_in("\u0410\u043b\u0438\u0441\u0430").status_code == 302
    owner = Client()
    owner.force_login(User.objects.create_superuser("olga"))
    form = {
        "username": "A1ice",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    assert owner.post("/admin/auth/user/add/", form).status_code == 200
    assert "A1ice" not in users()
    owner.post("/admin/auth/user/add/", form | {"username": "frank"})
    assert "frank" in users()


def test_of_two_like_names_at_once_one_is_taken(transactional_db: None) -> None:
    start, refused = threading.Barrier(2), []

    def take(name: str) -> None:
        start.wait(30)
        try:
            with transaction.atomic():
                names.reserve(name)
                User.objects.create(username=name)
        except ValidationError:
            refused.append(name)
        finally:
            connection.close()

    threads = [threading.Thread(target=take, args=(name,)) for name in ("frank", "Frank")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1 and len(users()) == 1


@pytest.mark.django_db
def test_without_mail_the_reset_names_whom_to_ask(settings: Settings) -> None:
    settings.CONTACT = "Olga, extension 42"
    page = Client().get("/password/reset/")
    assert "Ask Olga, extension 42 to set a new password for you." in words(page)


@pytest.mark.django_db
def test_a_new_account_confirms_its_mail_address_first(
    mail_is_set_up: None, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.SIGN_UP = True
    client = Client()
    assert sign_up("carol", client=client, email="carol@example.org")["Location"] == "/email/sent/"
    assert client.get("/").status_code == 302
    found = re.search(r"http://testserver(/email/\S+/)", str(mailoutbox[0].body))
    assert found
    assert "carol@example.org" in words(client.get(found[1]))
    client.post(found[1])
    assert sign_in("carol")["Location"] == "/"
    assert sign_in("carol@example.org")["Location"] == "/"


@pytest.mark.django_db
def test_a_forgotten_password_is_reset_by_mail(
    alice: User, mail_is_set_up: None, mailoutbox: list[EmailMessage]
) -> None:
    client = Client()
    sent = client.post("/password/reset/", {"email": "alice@example.org"})
    assert sent["Location"] == "/password/reset/sent/"
    found = re.search(r"http://testserver(/password/reset/\S+/)", str(mailoutbox[0].body))
    assert found
    form = client.get(found[1], follow=True)
    new = "yet another long one"
    done = client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert done["Location"] == "/password/reset/done/"
    assert "no longer valid" in words(Client().get(found[1], follow=True))
    assert sign_in("alice", new).status_code == 302
    assert "don't match" in words(sign_in("alice"))


@pytest.mark.django_db
def test_a_stranger_does_not_learn_who_has_an_account(
    alice: User, mail_is_set_up: None, mailoutbox: list[EmailMessage]
) -> None:
    answers = [
        Client().post("/password/reset/", {"email": email})["Location"]
        for email in ("alice@example.org", "nobody@example.org")
    ]
    assert len(set(answers)) == 1
    assert words(sign_in("alice", "wrong")) == words(sign_in("nobody", "wrong")).replace(
        "nobody", "alice"
    )


@pytest.mark.django_db
def test_the_demo_login_is_shown_only_where_it_is_the_way_in(
    settings: Settings, tmp_path: Any
) -> None:
    settings.DEMO_MARK = tmp_path / "demo"
    settings.IS_LOCAL = True
    assert "infra-mind-demo" not in words(Client().get("/sign-in/"))
    settings.DEMO_MARK.touch()
    assert "infra-mind-demo" in words(Client().get("/sign-in/"))
    settings.IS_LOCAL = False
    assert "infra-mind-demo" not in words(Client().get("/sign-in/"))


@pytest.mark.django_db
def test_the_admin_has_no_door_of_its_own(alice: User) -> None:
    assert Client().get("/admin/")["Location"].startswith("/admin/login/")
    assert Client().get("/admin/login/?next=/admin/")["Location"] == "/sign-in/?next=%2Fadmin%2F"
    form = {"username": "alice", "password": PASSWORD, "next": "/admin/"}
    assert Client().post("/admin/login/", form)["Location"].startswith("/sign-in/")
    client = Client()
    client.force_login(alice)
    assert client.get("/admin/login/").status_code == 403
    assert client.get("/admin/password_change/")["Location"] == "/password/"
