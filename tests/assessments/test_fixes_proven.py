"""Every fix in the table, tried with the real engines on a small input of its own: the finding is
gone, and nothing else fails."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from assessments.fixes.draft import Draft, draft
from assessments.fixes.edit import kind_of
from assessments.fixes.prove import Proofs, Upload, prove
from assessments.fixes.recipes import recipes
from assessments.fixes.rescan import Scanned, scan_again
from assessments.scan.merge import ScanResult
from assessments.scan.types import CheckResult, CoverageStatus, Outcome
from tests.assessments.scanning import WARM, files_of, folder_files, scan

FIXABLE = Path(__file__).parent / "fixtures" / "fixable"
"""In Terraform and CloudFormation a resource is named after the rule that it exists for."""


def upload_of(scanned: ScanResult, contents: dict[str, str]) -> Upload:
    return Upload(
        files={file.path: file for file in files_of(**contents)},
        texts=contents,
        scopes=scanned.scopes,
        before=Scanned.of(
            scanned.checks,
            [gap.path for gap in scanned.coverage if gap.status is not CoverageStatus.READ],
        ),
    )


def failed(scanned: ScanResult) -> list[CheckResult]:
    return [check for check in scanned.checks if check.outcome is Outcome.FAILED]


def proven(drafts: list[Draft], upload: Upload) -> Proofs:
    return prove(
        drafts, upload, rescan=lambda files: scan_again(files, sandbox=WARM), budget_s=1_000
    )


@lru_cache(maxsize=1)
def proofs_of_all() -> Proofs:
    files = folder_files(FIXABLE)
    contents = {file.path: file.content.decode() for file in files}
    scanned = scan(files)
    drafts = [
        drafted
        for check in failed(scanned)
        if is_there_for(check)
        if (drafted := draft(f"{check.rule} {kind_of(check)}", [check], contents))
    ]
    return proven(drafts, upload_of(scanned, contents))


def is_there_for(check: CheckResult) -> bool:
    named = ("aws_", "azurerm_", "google_")
    if check.resource_type.startswith(named):
        return check.resource.rpartition(".")[2].upper() == check.rule
    own = check.rule.replace("_", "")
    return "::" not in check.resource_type or (
        check.resource.startswith(own) and check.resource[len(own)].isalpha()
    )


def test_every_fix_of_the_table_is_proven_on_an_input_of_its_own() -> None:
    proofs = proofs_of_all()
    wanted = {
        f"{rule} {kind}"
        for rule, entries in recipes().items()
        for entry in entries
        for kind in entry.types
    }
    assert proofs.refused == {}
    assert wanted - set(proofs.proven) == set()
    assert len({key.split()[0] for key in proofs.proven}) >= 200


def test_every_cloud_and_kind_of_file_has_fixes() -> None:
    by_kind = {key.split()[0].split("_")[1] for key in proofs_of_all().proven if "CKV" in key}
    assert {"AWS", "AZURE", "GCP", "K8S", "DOCKER", "GHA"} <= by_kind


BUCKET = 'resource "aws_s3_bucket" "receipts" {\n  bucket = "shop-receipts"\n}\n'


def bucket_draft(contents: dict[str, str]) -> tuple[Draft, Upload]:
    scanned = scan(files_of(**contents))
    checks = [check for check in failed(scanned) if check.rule == "CKV2_AWS_6"]
    drafted = draft("public access", checks, contents)
    assert drafted is not None
    return drafted, upload_of(scanned, contents)


def test_a_bucket_gets_its_public_access_block_in_its_own_name() -> None:
    drafted, upload = bucket_draft({"main.tf": BUCKET})
    assert set(proven([drafted], upload).proven) == {"public access"}
    assert "bucket                  = aws_s3_bucket.receipts.id" in drafted.changed["main.tf"]


def test_an_access_block_that_is_there_is_changed_instead() -> None:
    block = (
        'resource "aws_s3_bucket_public_access_block" "b" {\n'
        "  bucket            = aws_s3_bucket.receipts.id\n  block_public_acls = false\n}\n"
    )
    drafted, upload = bucket_draft({"main.tf": BUCKET, "access.tf": block})
    assert set(proven([drafted], upload).proven) == {"public access"}
    assert set(drafted.changed) == {"access.tf"}


def test_a_patch_that_breaks_the_file_is_refused_however_few_findings_are_left() -> None:
    drafted, upload = bucket_draft({"main.tf": BUCKET})
    broken = Draft(drafted.key, drafted.checks, {"main.tf": BUCKET + "}}}\n"})
    proofs = proven([broken], upload)
    assert proofs.proven == {} and set(proofs.refused) == {"public access"}


def test_a_patch_that_adds_a_finding_is_refused_and_its_neighbor_is_proven() -> None:
    other = 'resource "aws_kms_key" "k" {\n  description = "k"\n}\n'
    contents = {"main.tf": BUCKET, "keys.tf": other}
    drafted, upload = bucket_draft(contents)
    scanned = scan(files_of(**contents))
    rotation = [check for check in failed(scanned) if check.rule == "CKV_AWS_7"]
    neighbor = draft("rotation", rotation, contents)
    assert neighbor is not None
    disk = 'resource "aws_ebs_volume" "v" {\n  availability_zone = "eu-west-1a"\n}\n'
    worse = Draft(drafted.key, drafted.checks, {"main.tf": drafted.changed["main.tf"] + disk})
    proofs = proven([worse, neighbor], upload)
    assert set(proofs.proven) == {"rotation"}
    assert set(proofs.refused) == {"public access"}


def test_what_has_no_time_left_is_said_to_be_unproven() -> None:
    drafted, upload = bucket_draft({"main.tf": BUCKET})
    proofs = prove(
        [drafted], upload, rescan=lambda files: scan_again(files, sandbox=WARM), budget_s=0
    )
    assert proofs.unproven == ["public access"] and proofs.scans == 0
