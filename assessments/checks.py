"""What ``manage.py check`` says of the operator's files before anything rests on them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from assessments.agents.price_book.reading import PriceBookError
from assessments.scan.own_rules import OwnRulesError, RuleText, read_rules
from assessments.scan.sandbox import SCANNER


def check_price_files(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """``PRICE_BOOK`` and the imported list prices can be read."""
    from assessments.pricing import list_prices, server_prices  # noqa: PLC0415  (start-up: web processes run no checks)

    return [
        *_read("PRICE_BOOK", server_prices, "assessments.E001"),
        *_read("The imported list prices", list_prices, "assessments.E002"),
    ]


def check_own_rules(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """``OWN_RULES`` holds rules that can be read, and that Checkov takes."""
    if not settings.OWN_RULES:
        return []
    hint = "docs/rules.md describes the format of a rule."
    try:
        rules = read_rules(Path(settings.OWN_RULES))
        loaded = _loaded_by_checkov(rules)
    except OwnRulesError as error:
        return [Error(words, hint=hint, id="assessments.E003") for words in error.problems]
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        words = f"Checkov could not be asked about the rules in OWN_RULES ({type(error).__name__})."
        return [Error(words, id="assessments.E004")]
    return [
        Error(
            f"{each.about.file}: Checkov can't read the definition of {each.about.rule}.",
            hint=hint,
            id="assessments.E003",
        )
        for each in rules
        if each.about.rule not in loaded
    ]


def _loaded_by_checkov(rules: list[RuleText]) -> set[str]:
    answer = subprocess.run(  # noqa: S603
        [settings.SCANNER_PYTHON, "-I", str(SCANNER / "own_rules.py")],
        input=json.dumps([[each.about.rule, each.text] for each in rules]).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(answer.stdout))


def _read(name: str, read: Callable[[], object], check_id: str) -> list[CheckMessage]:
    try:
        read()
    except OSError as error:
        words = f"{name} can't be read: {error}."
    except PriceBookError as error:
        words = f"{name} can't be used. {error}"
    else:
        return []
    return [Error(words, hint="docs/prices.md describes the format.", id=check_id)]
