"""Who is calling: identified by session, API token, or (sockets only) single-use ticket."""

from __future__ import annotations

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib.auth import get_user, get_user_model
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from ninja.errors import HttpError
from ninja.security import APIKeyCookie, HttpBearer

from tasks_ui.access import rate_limit
from tasks_ui.access.permissions import OPERATE, VIEW, VIEW_ALL
from tasks_ui.models import ApiToken, SocketTicket

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from django.http import HttpRequest

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
DEFAULT_PORTS = {"http": "80", "https": "443"}


class TokenAuth(HttpBearer):
    """``Authorization: Bearer <token>``. A token of scope "read" can't change anything."""

    openapi_name = "token"

    def __init__(self, *, changes_nothing: bool = False) -> None:
        super().__init__()
        self.changes_nothing = changes_nothing

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        found = ApiToken.find(token)
        if found is None:
            raise HttpError(401, "This API token is unknown, revoked or expired.")
        if (
            found.scope == ApiToken.Scope.READ
            and request.method not in SAFE_METHODS
            and not self.changes_nothing
        ):
            raise HttpError(403, "This API token may only read. Use one that may write.")
        rate_limit.spend(request, f"token.{found.digest[:16]}")
        found.touch()
        request.user = found.owner
        request.api_token = found  # type: ignore[attr-defined]
        return found.owner


class SessionAuth(APIKeyCookie):
    """The session of a signed-in browser; requests that change something also need Django's CSRF
    token."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> Any:
        return super().__call__(request) if request.user.is_authenticated else None

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        rate_limit.spend(request, f"user.{request.user.pk}")
        return request.user


def caller(request: HttpRequest) -> AbstractUser:
    """The user of a request that has passed ``TokenAuth`` or ``SessionAuth``."""
    return cast("AbstractUser", request.user)


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What a socket was opened with: a token, or a session and the hash of the password that it
    started with."""

    user: AbstractUser
    token_id: int | None = None
    session_key: str = ""
    auth_hash: str = ""

    @property
    def may_see_everything(self) -> bool:
        return self.user.pk in may_see_everything({self.user.pk})

    @property
    def may_read_runs(self) -> bool:
        """Only a browser's session: the pages that show a run are read there."""
        return bool(self.session_key) and self.user.pk in may_read_runs({self.user.pk})


class Refused(Exception):
    """The socket can't be opened; ``code`` is its close code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def identify(scope: dict[str, Any]) -> Credential:
    """Whose socket this is. Raises Refused(4401) if nobody's, Refused(4403) if another site's page
    opens it."""
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    if bearer := headers.get("authorization"):
        return _by_token(bearer)
    ticket = parse_qs(scope["query_string"].decode("latin-1")).get("ticket")
    if ticket:
        return _by_ticket(ticket[0])
    return _by_session(headers)


def is_signed_in(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request with these headers has a valid token or session. This does not check what
    they may do, nor whether another site's page sent it."""
    texts = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    try:
        if bearer := texts.get("authorization"):
            return _by_token(bearer) is not None
        return bool(_user_of_session(_session_key(texts)).is_authenticated)
    except Refused:
        return False


def still_valid(credentials: Iterable[Credential]) -> set[Credential]:
    """Those of ``credentials`` that could open a socket now, with three queries at most."""
    asked = set(credentials)
    users = {
        user.pk: user
        for user in get_user_model().objects.filter(
            pk__in={c.user.pk for c in asked}, is_active=True
        )
    }
    now = timezone.now()
    tokens = {c.token_id for c in asked if c.token_id is not None}
    live_tokens = set(
        ApiToken.objects.filter(
            Q(expires_at=None) | Q(expires_at__gt=now), pk__in=tokens, revoked_at=None
        ).values_list("pk", flat=True)
    )
    keys = {c.session_key for c in asked if c.session_key}
    live_keys = set(
        Session.objects.filter(session_key__in=keys, expire_date__gt=now).values_list(
            "session_key", flat=True
        )
    )

    def is_live(credential: Credential) -> bool:
        user = users.get(credential.user.pk)
        if user is None:
            return False
        if credential.token_id is not None:
            return credential.token_id in live_tokens
        return (
            credential.session_key in live_keys
            and credential.auth_hash == user.get_session_auth_hash()
        )

    return {credential for credential in asked if is_live(credential)}


def may_see_everything(user_ids: Collection[Any]) -> set[Any]:
    """Those of the users who may now follow everyone's tasks, with one query. Frames carry the
    content of tasks, so they are for active staff who may view tasks and their content."""
    return _staff_with(user_ids, VIEW, OPERATE)


def may_read_runs(user_ids: Collection[Any]) -> set[Any]:
    """Those of the users who may now read the pages of everyone's runs, with one query."""
    return _staff_with(user_ids, VIEW_ALL)


def _staff_with(user_ids: Collection[Any], *permissions: str) -> set[Any]:
    staff = get_user_model().objects.filter(pk__in=user_ids, is_staff=True, is_active=True)
    for permission in permissions:
        staff = staff.filter(_has(permission))
    return set(staff.values_list("pk", flat=True))


def _has(permission: str) -> Q:
    """In a query of users: any of the configured backends grants ``permission``."""
    users, granted = get_user_model().objects, Q()
    for backend in settings.AUTHENTICATION_BACKENDS:
        granted |= Q(pk__in=users.with_perm(permission, backend=backend).values("pk"))
    return granted


def session_credential(user: Any, session_key: str) -> Credential:
    return Credential(user=user, session_key=session_key, auth_hash=user.get_session_auth_hash())


def _by_token(header: str) -> Credential:
    kind, _, key = header.partition(" ")
    token = ApiToken.find(key.strip()) if kind.lower() == "bearer" else None
    if token is None:
        raise Refused(4401)
    token.touch()
    return Credential(user=token.owner, token_id=token.pk)


def _by_ticket(key: str) -> Credential:
    ticket = SocketTicket.redeem(key)
    if ticket is None:
        raise Refused(4401)
    if ticket.token is not None:
        credential = Credential(user=ticket.owner, token_id=ticket.token.pk)
    else:
        credential = session_credential(ticket.owner, ticket.session_key)
    if not still_valid([credential]):
        raise Refused(4401)
    return credential


def _by_session(headers: dict[str, str]) -> Credential:
    key = _session_key(headers)
    if not is_own_origin(headers.get("origin", ""), host=headers.get("host", "")):
        raise Refused(4403)
    user = _user_of_session(key)
    if not user.is_authenticated:
        raise Refused(4401)
    return session_credential(user, key)


def _session_key(headers: dict[str, str]) -> str:
    key = _cookie(headers.get("cookie", ""), settings.SESSION_COOKIE_NAME)
    if not key:
        raise Refused(4401)
    return key


def _user_of_session(key: str) -> Any:
    session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return get_user(SimpleNamespace(session=session))  # type: ignore[arg-type]


def is_own_origin(origin: str, *, host: str) -> bool:
    """Whether a page at ``origin`` belongs to this site, addressed as ``host``, or to one in
    CSRF_TRUSTED_ORIGINS.

    Host and port have to match. The scheme is unknown behind a proxy, and no browser lets an https
    page open ws.
    """
    try:
        parts = urlsplit(origin)
        port = str(parts.port or DEFAULT_PORTS.get(parts.scheme, ""))
    except ValueError:
        return False
    if not parts.hostname or not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    domain, own_port = split_domain_port(host)
    if (
        domain.strip("[]") == parts.hostname
        and (own_port or DEFAULT_PORTS.get(parts.scheme, "")) == port
    ):
        return True
    return any(_matches(origin, parts, trusted) for trusted in settings.CSRF_TRUSTED_ORIGINS)


def _matches(origin: str, parts: Any, trusted: str) -> bool:
    """``https://a.example`` matches itself, ``https://*.a.example`` its subdomains."""
    if "*" not in trusted:
        return origin.lower() == trusted.lower()
    scheme, _, domain = trusted.partition("://*")
    return bool(parts.scheme == scheme and parts.netloc.lower().endswith(domain.lower()))


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
