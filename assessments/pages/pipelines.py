"""The page for pipelines: what to paste, with this server's URL, and a token to go with it."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.access.tokens import create_token
from tasks_ui.models import ApiToken

FOLDER = settings.BASE_DIR / "client" / "ci"
EXAMPLE = "https://infra.example"


@dataclass(frozen=True)
class Snippet:
    """``file`` is the file to put it in."""

    title: str
    about: str
    file: str
    text: str


@login_required
@never_cache  # the page contains a key once
@require_http_methods(["GET", "POST"])
def pipelines(request: SignedInRequest) -> HttpResponse:
    """POST creates a token for pipelines, which only this response shows."""
    error, made = "", None
    if request.method == "POST":
        made, error = create_token(request, name="Pipeline", scope=ApiToken.Scope.WRITE, days="365")
    url = request.build_absolute_uri("/").rstrip("/")
    context = {"snippets": _snippets(url), "url": url, "made": made, "error": error}
    return render(request, "assessments/pipelines.html", context)


def _snippets(url: str) -> list[Snippet]:
    return [
        Snippet(
            "In a shell",
            "On a laptop, and in any CI. The package is in the folder client of Infra Mind's"
            " repository, and needs Python 3.12 or later. The exit status is 0 where all is fine, 1"
            " where a gate failed, and 2 where something that should have been read was not.",
            "Terminal",
            f"pipx install ./client\ninfra-mind login {url}\n"
            "infra-mind analyze . --base origin/main --new-only --fail-on high\n",
        ),
        Snippet(
            "GitHub Actions",
            "A comment on each pull request, alerts in code scanning, and a gate. Keep the token in"
            " the secret INFRA_MIND_TOKEN. OWNER is whose copy of Infra Mind's repository you use.",
            ".github/workflows/infra-mind.yml",
            _file("github.yml", url),
        ),
        Snippet(
            "GitLab CI",
            "Code Quality and test reports on each merge request, and a gate. Keep the token in the"
            " masked variable INFRA_MIND_TOKEN. INFRA_MIND_PACKAGE is what pip installs: a name on"
            " your index, or an address.",
            ".gitlab-ci.yml",
            _file("gitlab.yml", url),
        ),
        Snippet(
            "pre-commit",
            "Before a push: only what the branch adds.",
            ".pre-commit-config.yaml",
            _file("pre-commit.yml", url),
        ),
    ]


def _file(name: str, url: str) -> str:
    """Without its first comment, if that only names the file."""
    text = (FOLDER / name).read_text().replace(EXAMPLE, url)
    head, _, rest = text.partition("\n")
    return rest if head.startswith("# .") and head.count(" ") == 1 else text
