"""The review as JSON, for programs; client/review.schema.json describes it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from infra_mind_client.review import Change, Review

VERSION = 1


def as_json(review: Review) -> str:
    document: dict[str, Any] = {"version": VERSION, "exit_status": review.exit_status}
    document |= asdict(review)
    document["scores"] = [_change(each) for each in review.scores]
    document["figures"] = [_change(each) for each in review.figures]
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _change(change: Change) -> dict[str, Any]:
    return {**asdict(change), "difference": change.difference}
