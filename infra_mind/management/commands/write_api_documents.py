"""``manage.py write_api_documents``: regenerates the committed copies of both APIs' documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

import assessments.rest.api  # noqa: F401  (adds its routes)
from tasks_ui.rest import asyncapi
from tasks_ui.rest.api import api

HOST = "localhost:8000"


class Command(BaseCommand):
    help = (
        "Write openapi.json and asyncapi.json, which show in a diff what a change does to the APIs."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", type=Path, default=settings.BASE_DIR / "docs", metavar="FOLDER")

    def handle(self, *args: Any, **options: Any) -> None:
        for name, text in documents().items():
            (options["to"] / name).write_text(text)
            self.stdout.write(str(options["to"] / name))


def documents() -> dict[str, str]:
    """The text of both documents, by file name."""
    found = {
        "openapi.json": api.get_openapi_schema(),
        "asyncapi.json": asyncapi.document(host=HOST, is_secure=False),
    }
    return {
        name: json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"
        for name, document in found.items()
    }
