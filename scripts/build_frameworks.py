"""Write assessments/data/frameworks.json.gz: severities and compliance frameworks, trimmed from
Prowler's wheel.

    pip download --no-deps --dest /tmp prowler
    python scripts/build_frameworks.py /tmp/prowler-5.46.0-py3-none-any.whl --as-of 2026-11-23

It takes only facts: for each check that assessments/data/crosswalk.csv names, its severity and
service; for each framework, every requirement's id and title and which of those checks it lists,
with the total number that it lists. It fails if the crosswalk names a check that the wheel
doesn't have or maps a rule twice. Prowler is under the Apache License 2.0: see
assessments/data/NOTICE.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "assessments" / "data"
TYPICAL = ROOT / "tests" / "assessments" / "fixtures" / "typical_rules.json"
PROVIDERS = ("aws", "azure", "gcp", "kubernetes")
EDITIONS = {
    ("cis", "aws"): "cis_7.0_aws",
    ("cis", "azure"): "cis_6.0_azure",
    ("cis", "gcp"): "cis_5.0_gcp",
    ("cis", "kubernetes"): "cis_2.0.1_kubernetes",
    ("pci_dss", "aws"): "pci_4.0_aws",
    ("pci_dss", "azure"): "pci_4.0_azure",
    ("pci_dss", "gcp"): "pci_4.0_gcp",
    ("pci_dss", "kubernetes"): "pci_4.0_kubernetes",
    ("hipaa", "aws"): "hipaa_aws",
    ("hipaa", "azure"): "hipaa_azure",
    ("hipaa", "gcp"): "hipaa_gcp",
    ("soc2", "aws"): "soc2_aws",
    ("soc2", "azure"): "soc2_azure",
    ("soc2", "gcp"): "soc2_gcp",
    ("iso27001", "aws"): "iso27001_2022_aws",
    ("iso27001", "azure"): "iso27001_2022_azure",
    ("iso27001", "gcp"): "iso27001_2022_gcp",
    ("iso27001", "kubernetes"): "iso27001_2022_kubernetes",
    ("gdpr", "aws"): "gdpr_aws",
    ("nist_800_53", "aws"): "nist_800_53_revision_5_aws",
}
"""The newest edition of each framework that the wheel has for each provider."""
MAX_TITLE = 140


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--as-of", required=True, help="the day this is run, YYYY-MM-DD")
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as wheel:
        known = _checks(wheel)
        wanted = _crosswalked()
        if missing := sorted(wanted - known.keys()):
            sys.exit(
                f"crosswalk.csv names checks that the wheel doesn't have: {', '.join(missing)}"
            )
        frameworks = [_framework(wheel, key, name, wanted) for key, name in EDITIONS.items()]
    version = options.wheel.name.split("-")[1]
    content = {
        "header": {
            "source": "Prowler check metadata and compliance frameworks, trimmed",
            "url": "https://github.com/prowler-cloud/prowler",
            "version": version,
            "as_of": options.as_of,
            "licence": "Apache-2.0",
        },
        "checks": {name: known[name] for name in sorted(wanted)},
        "frameworks": frameworks,
    }
    raw = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    target = DATA / "frameworks.json.gz"
    target.write_bytes(gzip.compress(raw, mtime=0))
    print(
        f"{len(wanted)} checks, {len(frameworks)} frameworks, {target.stat().st_size} bytes from"
        f" Prowler {version}"
    )
    _print_coverage()


def _checks(wheel: zipfile.ZipFile) -> dict[str, dict[str, str]]:
    """Maps ``aws/s3_bucket_public_access`` to its severity and service."""
    found = {}
    for name in wheel.namelist():
        if name.endswith(".metadata.json") and name.split("/")[2] in PROVIDERS:
            fields = json.loads(wheel.read(name))
            severity = {"informational": "info"}.get(fields["Severity"], fields["Severity"])
            found[f"{name.split('/')[2]}/{fields['CheckID']}"] = {
                "severity": severity,
                "service": fields["ServiceName"],
            }
    return found


def _crosswalked() -> set[str]:
    with (DATA / "crosswalk.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rules = [row["rule"] for row in rows]
    if doubles := sorted({rule for rule in rules if rules.count(rule) > 1}):
        sys.exit(f"crosswalk.csv has rules twice: {', '.join(doubles)}")
    return {check for row in rows for check in row["prowler_checks"].split()}


def _print_coverage() -> None:
    """How much of what fires on typical input the crosswalk covers, by finding."""
    with (DATA / "crosswalk.csv").open(newline="") as file:
        rows = {row["rule"]: bool(row["prowler_checks"]) for row in csv.DictReader(file)}
    counts: dict[str, int] = json.loads(TYPICAL.read_text())
    total = sum(counts.values())
    worded = sum(count for rule, count in counts.items() if rule in rows)
    mapped = sum(count for rule, count in counts.items() if rows.get(rule))
    print(
        f"{total} typical findings: {worded / total:.0%} told in words, {mapped / total:.0%} with a"
        " mapped severity"
    )


def _framework(
    wheel: zipfile.ZipFile, key: tuple[str, str], name: str, wanted: set[str]
) -> dict[str, Any]:
    framework, provider = key
    document = json.loads(wheel.read(f"prowler/compliance/{provider}/{name}.json"))
    requirements: dict[str, dict[str, Any]] = {}
    for entry in document["Requirements"]:
        number, title = _id_and_title(framework, entry)
        row = requirements.setdefault(number, {"id": number, "title": title, "all": set()})
        row["all"] |= {f"{provider}/{check}" for check in entry["Checks"]}
    return {
        "framework": framework,
        "provider": provider,
        "title": document["Name"],
        "edition": document["Version"],
        "requirements": [
            {
                "id": row["id"],
                "title": row["title"],
                "checks": sorted(row["all"] & wanted),
                "mapped": len(row["all"]),
            }
            for row in sorted(requirements.values(), key=lambda row: _natural(row["id"]))
        ],
    }


def _id_and_title(framework: str, entry: dict[str, Any]) -> tuple[str, str]:
    """The number that the framework itself uses, and the requirement's title.

    Prowler splits one requirement of PCI DSS into one row per service; they are joined under the
    standard's own number, which comes before the colon of the section. Otherwise the name starts
    with the number, or is the title.
    """
    name, section = entry.get("Name") or entry["Description"], entry["Attributes"][0]
    if framework == "pci_dss":
        number, _, title = section["Section"].partition(":")
    elif framework == "gdpr":
        _, article, title = name.split(" ", 2)
        number = f"Article {article}"
    elif framework in ("hipaa", "soc2", "nist_800_53"):
        number, _, title = name.partition(" ")
    else:
        number, title = entry["Id"], name
    return number.strip(), _short(
        title or section.get("SubSection") or section.get("Section") or number
    )


def _short(title: str) -> str:
    words = " ".join(title.split())
    return words if len(words) <= MAX_TITLE else words[: MAX_TITLE - 1].rstrip() + "…"


def _natural(number: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", number)]


if __name__ == "__main__":
    main()
