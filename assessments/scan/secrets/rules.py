"""The rules for secrets: what each is about and how severe it is.

Rules named ``CKV_SECRET_n`` are Checkov's names for what detect-secrets recognizes by its form;
``IM-SECRET-n`` are ours. Severities are this project's: critical where the value alone opens an
account or a data store, high where it takes more (the network, another system, a lifetime).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "high"]

ATTRIBUTE = "IM-SECRET-1"
VARIABLE = "IM-SECRET-2"
CONNECTION = "IM-SECRET-3"
KEY = "IM-SECRET-4"
MANIFEST = "IM-SECRET-5"
TOKEN = "IM-SECRET-6"  # noqa: S105
AWS_KEY = "CKV_SECRET_2"
PRIVATE_KEY = "CKV_SECRET_13"
PREFIXES = ("CKV_SECRET_", "IM-SECRET-")


@dataclass(frozen=True, slots=True)
class Rule:
    """``rank``: if two rules match the same value, the one with the lower rank names it."""

    id: str
    title: str
    severity: Severity
    rank: int


RULES = {
    rule.id: rule
    for rule in (
        Rule(PRIVATE_KEY, "Private key", "critical", 0),
        Rule(AWS_KEY, "AWS access key", "critical", 1),
        Rule("CKV_SECRET_1", "Artifactory credentials", "critical", 2),
        Rule("CKV_SECRET_3", "Azure storage account key", "critical", 2),
        Rule("CKV_SECRET_5", "Cloudant credentials", "critical", 2),
        Rule("CKV_SECRET_7", "IBM Cloud IAM key", "critical", 2),
        Rule("CKV_SECRET_8", "IBM COS HMAC credentials", "critical", 2),
        Rule("CKV_SECRET_9", "JSON Web Token", "high", 5),
        Rule("CKV_SECRET_11", "Mailchimp access key", "high", 2),
        Rule("CKV_SECRET_12", "npm token", "critical", 2),
        Rule("CKV_SECRET_14", "Slack token", "high", 2),
        Rule("CKV_SECRET_15", "SoftLayer credentials", "critical", 2),
        Rule("CKV_SECRET_16", "Square OAuth secret", "critical", 2),
        Rule("CKV_SECRET_17", "Stripe access key", "critical", 2),
        Rule("CKV_SECRET_18", "Twilio API key", "high", 3),
        Rule(TOKEN, "Access token", "critical", 2),
        Rule(CONNECTION, "Password in a URL or connection string", "high", 4),
        Rule(ATTRIBUTE, "Password", "critical", 6),
        Rule(VARIABLE, "Password in a variable, script or setting", "high", 7),
        Rule(KEY, "Key or token", "high", 8),
        Rule(MANIFEST, "Value of a Kubernetes Secret", "high", 9),
    )
}

DETECT_SECRETS = {
    "AWS Access Key": AWS_KEY,
    "Artifactory Credentials": "CKV_SECRET_1",
    "Cloudant Credentials": "CKV_SECRET_5",
    "IBM Cloud IAM Key": "CKV_SECRET_7",
    "IBM COS HMAC Credentials": "CKV_SECRET_8",
    "JSON Web Token": "CKV_SECRET_9",
    "Mailchimp Access Key": "CKV_SECRET_11",
    "NPM tokens": "CKV_SECRET_12",
    "Slack Token": "CKV_SECRET_14",
    "SoftLayer Credentials": "CKV_SECRET_15",
    "Square OAuth Secret": "CKV_SECRET_16",
    "Stripe Access Key": "CKV_SECRET_17",
    "Twilio API Key": "CKV_SECRET_18",
    "GitHub Token": TOKEN,
    "Discord Bot Token": TOKEN,
    "SendGrid API Key": TOKEN,
}
"""Maps detect-secrets' names to the rules that they are shown as."""
