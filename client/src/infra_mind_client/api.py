"""A client of Infra Mind's REST API, by httpx.

    with Client("https://infra.example", token="im_...") as client:
        assessment = client.create_assessment(name="shop", files=[("main.tf", b"...")])
        for frame in client.follow(client.analyze(assessment["id"])["task_id"]):
            ...

Connections may break: requests that are safe to repeat are repeated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

from infra_mind_client.errors import ApiError, UnreachableError, backoff_s
from infra_mind_client.live import Follower, Frame

RECOMMENDATIONS_POLL_S = 0.25
UNFINISHED = frozenset({"pending", "running", "recommending"})
PAGE = 1000
UPLOAD_TIMEOUT_S = 300
Files = Iterable[tuple[str, bytes]]


class Client:
    """``url`` is the server's, without a path. ``patience_s``: how long an outage may last, in
    seconds."""

    def __init__(self, url: str, *, token: str, patience_s: float = 120) -> None:
        self.url = url.rstrip("/")
        self.patience_s = patience_s
        self.headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=f"{self.url}/api/v1", headers=self.headers, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def create_assessment(
        self, *, name: str, files: Files, requirements: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Upload ``files`` ((path, content); archives are unpacked). Raises ApiError,
        UnreachableError."""
        return self._upload("/assessments/", files, {"name": name}, requirements)

    def analyze(self, assessment_id: str) -> dict[str, Any]:
        """Start a run of the newest files. An idempotency key ensures that it is a single run,
        however often the request has to be sent."""
        return self._json(
            "POST",
            f"/assessments/{assessment_id}/analyze",
            headers={"Idempotency-Key": uuid4().hex},
            is_safe=True,
        )

    def analyze_upload(
        self, assessment: str, *, files: Files, requirements: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Upload ``files`` as a new version of an assessment, given by id or by name (a new name
        creates it), and start a run."""
        return self._upload("/assessments/analyze", files, {"assessment": assessment}, requirements)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """``path`` is below /api/v1."""
        return self._json("GET", path, params=params, is_safe=True)

    def cancel(self, task_id: str) -> dict[str, Any]:
        return self._json("POST", f"/tasks/{task_id}/cancel", is_safe=True)

    def status(self, task_id: str) -> dict[str, Any]:
        return self.get(f"/tasks/{task_id}/status")

    def findings(self, assessment_id: str, *, run: int | None = None) -> Iterator[dict[str, Any]]:
        """All findings of a run, by default the newest, most severe first."""
        chosen: dict[str, Any] = {} if run is None else {"run": run}
        while True:
            page = self.get(f"/assessments/{assessment_id}/findings", limit=PAGE, **chosen)
            yield from page["findings"]
            if page["next_cursor"] is None:
                return
            chosen = {"run": page["run"], "cursor": page["next_cursor"]}

    def completed_run(self, assessment_id: str, number: int) -> dict[str, Any]:
        """A run whose task has ended, with its recommendations, which follow the findings after a
        moment. Raises ApiError, and UnreachableError after ``patience_s`` without them."""
        give_up_at = time.monotonic() + self.patience_s
        while True:
            run = self.get(f"/assessments/{assessment_id}/runs/{number}")
            if run["status"] not in UNFINISHED:
                return run
            if time.monotonic() > give_up_at:
                raise UnreachableError("The recommendations were not written in time.")
            time.sleep(RECOMMENDATIONS_POLL_S)

    def unchecked(self, run_id: str, *, before: str) -> set[str] | None:
        """Fingerprints of findings of the run ``before`` that are gone in the other run, but that
        it could not have found: their file was not read, or their agent did not answer. None if
        there are too many to list."""
        found = self.get(f"/runs/{run_id}/compare", **{"with": before, "limit": PAGE})
        gone = found["findings"]["unchecked"]
        if gone["total"] > len(gone["findings"]):
            return None
        return {each["fingerprint"] for each in gone["findings"]}

    def report(
        self, assessment_id: str, *, kind: str, format: str, run: int | None = None
    ) -> bytes:
        """Create a report of a run, by default the newest, wait for it, and return it. Raises
        ApiError."""
        wanted = self._json(
            "POST",
            f"/assessments/{assessment_id}/reports",
            params={} if run is None else {"run": run},
            json={"kind": kind, "format": format},
        )
        for _ in self.follow(wanted["task_id"]):
            pass
        ended = self.status(wanted["task_id"])
        if ended["state"] != "SUCCESS":
            words = f"The report was not created: {ended.get('error') or ended['status']}"
            raise ApiError(409, {"detail": words})
        return self._request("GET", wanted["url"].removeprefix("/api/v1"), is_safe=True).content

    def follow(self, task_id: str, *, after_seq: int = 0) -> Iterator[Frame]:
        """The frames of a task until it ends: ``snapshot`` and ``progress`` as they arrive, each
        ``event`` once, in order.

        After a ``resync_required`` the snapshot before it is the truth, and events begin again.
        Raises ApiError (404 where there is no such task, 401 where the token has ended) and
        UnreachableError.
        """
        return Follower(self, task_id, after_seq=after_seq).frames()

    def _upload(
        self,
        path: str,
        files: Files,
        fields: dict[str, Any],
        requirements: dict[str, Any] | None,
    ) -> dict[str, Any]:
        listed = list(files)
        form = {**fields, "paths": [path for path, _ in listed]}
        if requirements is not None:
            form["requirements"] = json.dumps(requirements)
        parts = [("files", (path.rsplit("/", 1)[-1], content)) for path, content in listed]
        return self._json(
            "POST",
            path,
            data=form,
            files=parts,
            timeout=UPLOAD_TIMEOUT_S,
            headers={"Idempotency-Key": uuid4().hex},
            is_safe=True,
        )

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self._request(method, path, **options)
        try:
            found: dict[str, Any] = response.json()
        except ValueError as error:
            words = f"{self.url} responded, but not like an Infra Mind server. Check the URL."
            raise ApiError(response.status_code, {"detail": words}) from error
        return found

    def _request(
        self, method: str, path: str, *, is_safe: bool = False, **options: Any
    ) -> httpx.Response:
        """Send a request; repeat it after an outage if it ``is_safe`` to repeat, or was not
        accepted (429, 503)."""
        give_up_at = time.monotonic() + self.patience_s
        tries = 0
        while True:
            tries += 1
            wait_s = backoff_s(tries)
            try:
                response = self._http.request(method, path, **options)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem: Exception = UnreachableError(f"{self.url} can't be reached: {error}")
            except httpx.TransportError as error:
                problem = UnreachableError(f"The connection to {self.url} broke: {error}")
                if not is_safe:
                    raise problem from error
            else:
                if response.is_success:
                    return response
                problem = ApiError(response.status_code, _problem(response))
                if response.status_code not in {429, 502, 503} or (
                    response.status_code == 502 and not is_safe
                ):
                    raise problem
                wait_s = max(wait_s, _retry_after_s(response))
            if time.monotonic() + wait_s > give_up_at:
                raise problem
            time.sleep(wait_s)


def _retry_after_s(response: httpx.Response) -> float:
    try:
        return min(300.0, max(0.0, float(response.headers.get("Retry-After", "0"))))
    except ValueError:
        return 0.0


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    return (
        body
        if isinstance(body, dict)
        else {"title": f"HTTP {response.status_code} {response.reason_phrase}"}
    )
