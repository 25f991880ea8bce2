"""Reviews to write, without a server."""

from __future__ import annotations

from typing import Any

from infra_mind_client.review import Change, Finding, Gate, NotAssessed, Review, Unread

NASTY = "a|b `c` <!-- x --> [y](z) @team &amp; ]]> \x00\x1b[31m\ud800"
"""What a file's name or a title may hold."""


def finding(number: int = 1, **changes: Any) -> Finding:
    own = {
        "id": f"0199e2f0-0000-7000-8000-{number:012}",
        "fingerprint": f"{number:064x}",
        "agent": "security",
        "rule": "CKV_AWS_24",
        "severity": "high",
        "title": "SSH is open to the internet",
        "scope": "",
        "resource": "aws_security_group.web",
        "file": "net/main.tf",
        "line": 8,
        "shown": 'cidr_blocks = ["0.0.0.0/0"]',
        "remediation": "Name the networks that may connect.",
        "url": f"https://infra.example/findings/0199e2f0-0000-7000-8000-{number:012}/",
    }
    return Finding(**{**own, **changes})


def review(**changes: Any) -> Review:
    own: dict[str, Any] = {
        "assessment": "shop",
        "assessment_id": "0199e2f0-0000-7000-8000-000000000000",
        "run": 3,
        "url": "https://infra.example/assessments/0199e2f0-0000-7000-8000-000000000000/runs/3/",
        "figures": [
            Change(key="monthly_cost", label="Cost", unit="USD a month", now=120.5, before=100.0)
        ],
        "scores": [Change(key="security", label="Security", unit="of 100", now=71, before=80)],
    }
    return Review(**{**own, **changes})


def nasty_review() -> Review:
    nasty = finding(2, title=NASTY, file=f"{NASTY}.tf", resource=NASTY, rule=NASTY, shown=NASTY)
    return review(
        assessment=NASTY,
        base=NASTY,
        new=[finding(1), nasty, finding(3, file="", line=0)],
        fixed=[finding(4, severity="critical")],
        persisting=[finding(5, line=0)],
        unchecked=[finding(7)],
        accepted=[finding(6, accepted="muted on the server")],
        unread=[Unread(path=NASTY, reason=NASTY, line=3), Unread(path="b.tf", reason="no")],
        not_assessed=[NotAssessed(reason=NASTY, paths=[NASTY, "b"])],
        gates=[
            Gate(name="fail-on", passed=False, message=NASTY),
            Gate(name="budget", passed=None, message="Not known."),
            Gate(name="max-increase", passed=True, message="Fine."),
        ],
        scopes={"": "all", "b": NASTY},
    )
