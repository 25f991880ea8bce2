"""Requests that no client of ours would send: to every route of the API, the pages and the admin,
with NUL, unpaired surrogates, huge numbers, wrong types, broken bodies."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import infra_mind.urls  # noqa: F401  (puts the API together)
from assessments.rest.examples import ASSESSMENT_ID, FINDING_ID, FINGERPRINT, REPORT_ID
from tasks_ui.models import ApiToken
from tasks_ui.rest.api import api
from tasks_ui.rest.examples import EXAMPLES, TASK_ID
from tests.api_world import make_user, make_world
from tests.stack import Stack

HUGE = "1" + "0" * 30
BAD_TEXTS = [
    *(
        "\0",
        "a\0b",
        "\ud800",
        "a\udfffb",
        "\u202e",
        "",
        " ",
        "\n",
        "\r\nX: y",
        "'",
        '"',
        "\\",
        "%",
        "%s",
    ),
    *("{{7}}", "../../etc/passwd", "//evil.example", "foo", "javascript:x", "x" * 5_000, "\u0663"),
    *("\N{PILE OF POO}" * 50, "null", "true", "NaN", "-0", "1e400", "0x1f", HUGE, f"-{HUGE}"),
    *("9" * 5_000, str(2**31), str(2**63), "-1", "0001-01-01", "9999-12-31T23:59:59.999999Z"),
    *("2026-02-30", "10000-01-01", "[", "{", "[" * 100),
]
GOOD_TEXTS = [
    *(TASK_ID, ASSESSMENT_ID, FINDING_ID, REPORT_ID, FINGERPRINT, "1", "2", "SUCCESS", "high"),
    *("security", "json", "pdf", "process_assessment", "default", "all", "created", "-created"),
    *("2026-11-25T00:00:00Z", "true", "cancel", "retry", "accepted"),
]
_FIELDS = (
    "act action after_seq agent all assessment before compare cursor days format from id ids kind"
    " limit muted name next o offset only order owner p page password q queue reason requirements"
    " run scope select_across severity since state status task to tab until user username login"
    " email with _selected_action _changelist_filters _to_field _popup e owner__id__exact"
    " state__exact created_at__gte id__in files paths expires_days index"
)
FIELDS = _FIELDS.split()
_HEADERS = (
    "Accept HX-Request HX-Target Idempotency-Key If-None-Match Range Accept-Language Referer"
    " X-Forwarded-For Content-Type"
)
HEADERS = _HEADERS.split()
RAW_TYPES = [
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "application/x-www-form-urlencoded; charset=utf-7",
    "a",
]
SPARED = {
    *("sign-out/", "admin/logout/", "admin/login/"),  # end the session
    *("assessments/sample/", "tokens/<int:token_id>/revoke/"),
}
IDS = {
    "task_id": TASK_ID,
    "assessment_id": ASSESSMENT_ID,
    "number": "1",
    "report_id": REPORT_ID,
    "finding_id": FINDING_ID,
    "fingerprint": FINGERPRINT,
    "recommendation_id": FINDING_ID,
    "object_id": TASK_ID,
}
WELCOME = {"owner": "/", "superuser": "/admin/", "token": "/api/v1/assessments"}
Draw = Callable[..., Any]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
BODIES = [
    each for name in ("AssessmentIn", "ReportIn", "MuteIn", "BulkIn") for each in EXAMPLES[name]
]

texts = st.one_of(
    st.sampled_from(BAD_TEXTS), st.sampled_from(GOOD_TEXTS), st.text(st.characters(), max_size=30)
)
leaves = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63, 10**30, -(10**30), 1e308]),
    st.floats(),
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@dataclass(frozen=True)
class Sent:
    caller: str
    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def break_nothing(web: Stack, *, count: int, part: int = 0) -> Counter[int]:
    """Send ``count`` requests as an owner, a superuser, a token and nobody; none may get a 5xx.
    Each ``part`` is a different sequence, the same each time. Returns the number of responses per
    status."""
    callers, every = _callers(), routes()
    statuses: Counter[int] = Counter()
    broken: list[str] = []

    @seed(part)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(requests(list(callers), every))
    def send(sent: Sent) -> None:
        url = httpx.URL(web.url).copy_with(raw_path=sent.target.encode("ascii"))
        headers = {**callers[sent.caller], **sent.headers}
        try:
            status = _answered(http, sent, url, headers)
        except httpx.RemoteProtocolError as error:
            broken.append(f"{error} {sent}"[:1_000])
            return
        statuses[status] += 1
        # 504: analyze?background=false over its limit.
        if status >= 500 and status != 504:
            broken.append(f"{status} {sent}"[:1_000])

    with httpx.Client(timeout=60) as http:
        _welcome(http, web, callers)
        send()
        assert broken == [], f"{len(broken)} of {statuses.total()}: " + "\n".join(broken[:20])
        _welcome(http, web, callers)
    return statuses


def _welcome(http: httpx.Client, web: Stack, callers: dict[str, dict[str, str]]) -> None:
    """Each caller is who they are supposed to be, before and after."""
    for caller, page in WELCOME.items():
        assert http.get(f"{web.url}{page}", headers=callers[caller]).status_code == 200, caller


def _answered(http: httpx.Client, sent: Sent, url: httpx.URL, headers: dict[str, str]) -> int:
    try:
        answer = http.request(sent.method, url, headers=headers, content=sent.body)
    except httpx.RemoteProtocolError:
        # The server closed the kept-alive connection, as it may; on a new one it has to respond.
        answer = httpx.request(sent.method, url, headers=headers, content=sent.body, timeout=60)
    http.cookies.clear()
    return answer.status_code


@st.composite
def requests(draw: Draw, callers: list[str], every: list[str]) -> Sent:
    part = draw(st.sampled_from(["api/", "admin/", ""]))
    route = draw(st.sampled_from([each for each in every if _part_of(each) == part]))
    method = draw(st.sampled_from(METHODS[:2]) | st.sampled_from(METHODS))
    changes = method not in {"GET", "HEAD", "OPTIONS"}
    # Anything that would end the caller's session, or delete the world, gets no existing id.
    spared = method == "DELETE" or (changes and part == "admin/") or route in SPARED
    path = "/" + re.sub(r"[<{][^>}]*[>}]", lambda at: _quoted(draw(_id(at[0], spared))), route)
    query = draw(st.lists(st.tuples(st.sampled_from(FIELDS), texts), max_size=4))
    target = f"{path}?{'&'.join(f'{name}={_quoted(text)}' for name, text in query)}"
    headers, body = draw(bodies(part)) if changes and route not in SPARED else ({}, b"")
    if draw(st.integers(0, 3)) == 0:
        visible = st.characters(min_codepoint=33, max_codepoint=126)
        headers = {**headers, draw(st.sampled_from(HEADERS)): draw(st.text(visible, max_size=50))}
    fitting = {"api/": "token", "admin/": "superuser", "": "owner"}[part]
    caller = fitting if draw(st.integers(0, 4)) else draw(st.sampled_from(callers))
    if route in SPARED:
        caller = "nobody"
    return Sent(caller, method, target, headers, body)


def _part_of(route: str) -> str:
    return next((part for part in ("api/", "admin/") if route.startswith(part)), "")


def _id(parameter: str, spared: bool) -> st.SearchStrategy[str]:
    """A value for a part of a path: mostly one that exists."""
    name = re.sub(r"[<{>}]|.*:", "", parameter)
    bad = st.sampled_from(BAD_TEXTS)
    if spared or name not in IDS:
        return bad if spared else texts
    return st.one_of(st.just(IDS[name]), st.just(IDS[name]), st.just(IDS[name]), texts)


@st.composite
def bodies(draw: Draw, part: str) -> tuple[dict[str, str], bytes]:
    kinds = {"api/": ["json", "json", "json", "multipart", "raw"]}
    kind = draw(st.sampled_from(kinds.get(part, ["form", "form", "json", "multipart", "raw"])))
    fields = draw(st.dictionaries(st.sampled_from(FIELDS), texts, max_size=5))
    if kind == "form":
        body = "&".join(f"{name}={_quoted(text)}" for name, text in fields.items()).encode()
        return {"Content-Type": "application/x-www-form-urlencoded"}, body
    if kind == "json":
        body = draw(st.sampled_from(BODIES))
        value = _spoiled(draw, body) if draw(st.integers(0, 4)) else draw(values)
        return {"Content-Type": "application/json"}, json.dumps(value).encode()
    if kind == "raw":
        return {"Content-Type": draw(st.sampled_from(RAW_TYPES))}, draw(st.binary(max_size=200))
    parts = [_part(f'name="{name}"', _bytes(text)) for name, text in fields.items()]
    names = draw(st.lists(texts, max_size=2))
    parts += [
        _part(
            b'name="files"; filename="'
            + _bytes(name).replace(b'"', b"").replace(b"\r\n", b"")
            + b'"',
            draw(st.binary(max_size=60)),
        )
        for name in names
    ]
    return {"Content-Type": "multipart/form-data; boundary=xYzZy"}, b"".join(
        parts
    ) + b"--xYzZy--\r\n"


def _part(about: str | bytes, content: bytes) -> bytes:
    about = about.encode() if isinstance(about, str) else about
    return b"--xYzZy\r\nContent-Disposition: form-data; " + about + b"\r\n\r\n" + content + b"\r\n"


def _spoiled(draw: Draw, value: Any) -> Any:
    """``value`` with one of its leaves replaced, or a key added."""
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 5)) == 0:
            return {**value, draw(texts): draw(values)}
        return {**value, key: _spoiled(draw, value[key])}
    if isinstance(value, list) and value:
        return [_spoiled(draw, value[0]), *value[1:]]
    return draw(values)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _quoted(text: str) -> str:
    return quote_from_bytes(_bytes(text), safe="")


@cache
def routes() -> list[str]:
    """Every URL of the site, as patterns: pages, admin, API."""

    def walk(patterns: list[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            route = (
                f"{prefix}{pattern.pattern}".replace("^", "").replace("$", "").replace("\\Z", "")
            )
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, route)
            elif isinstance(pattern, URLPattern) and not route.startswith(
                ("health/", "metrics", "static/")
            ):
                yield re.sub(r"\(\?P<(\w+)>.*\)", r"<\1>", route)

    from_api = {
        f"api/v1/{prefix}{path}"
        for prefix, router in api._routers
        for path in router.path_operations
    }
    every = {
        re.sub("/+", "/", route) for route in [*walk(get_resolver().url_patterns, ""), *from_api]
    }
    return sorted(every)


def _callers() -> dict[str, dict[str, str]]:
    """Headers by caller. The world is the owner's."""
    owner = make_user("alice")
    root = make_user("root", is_staff=True, is_superuser=True)
    make_world(owner)
    for name in ("spare", "another"):
        ApiToken.issue(owner=owner, name=name)
    token = ApiToken.issue(owner=owner, name="fuzz")[1]
    return {
        "owner": _session(owner),
        "superuser": _session(root),
        "token": {"Authorization": f"Bearer {token}"},
        "nobody": {},
    }


def _session(user: Any) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    secret = "a" * 32
    session = client.cookies["sessionid"].value
    return {"Cookie": f"sessionid={session}; csrftoken={secret}", "X-CSRFToken": secret}
