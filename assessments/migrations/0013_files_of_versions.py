"""The files of each assessment become its version 1, equal content once per owner."""

from __future__ import annotations

from typing import Any

from django.db import migrations, transaction

ASSESSMENTS_AT_ONCE = 20

FORWARDS = (
    """
    INSERT INTO assessments_version
        (id, assessment_id, number, source, created_by_id, created_at, file_count)
    SELECT gen_random_uuid(), a.id, 1, 'upload', a.owner_id, a.created_at,
        (SELECT count(*) FROM assessments_sourcefile f WHERE f.assessment_id = a.id)
    FROM assessments_assessment a WHERE a.id = ANY(%s)
    ON CONFLICT DO NOTHING
    """,
    # Hashed here, not copied: whatever a row says, two contents never become one.
    """
    INSERT INTO assessments_blob (owner_id, sha256, size, content)
    SELECT a.owner_id, encode(sha256(f.content), 'hex'), length(f.content), f.content
    FROM assessments_sourcefile f JOIN assessments_assessment a ON a.id = f.assessment_id
    WHERE a.id = ANY(%s)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO assessments_versionfile (version_id, path, kind, blob_id)
    SELECT v.id, f.path, f.kind, b.id
    FROM assessments_sourcefile f
    JOIN assessments_assessment a ON a.id = f.assessment_id
    JOIN assessments_version v ON v.assessment_id = a.id AND v.number = 1
    JOIN assessments_blob b
        ON b.owner_id = a.owner_id AND b.sha256 = encode(sha256(f.content), 'hex')
    WHERE a.id = ANY(%s)
    ON CONFLICT DO NOTHING
    """,
    """
    UPDATE assessments_assessmentrun r SET version_id = v.id FROM assessments_version v
    WHERE v.assessment_id = r.assessment_id AND v.number = 1 AND r.version_id IS NULL
        AND r.assessment_id = ANY(%s)
    """,
    """
    UPDATE assessments_assessment a SET stored_bytes = (
        SELECT coalesce(sum(b.size), 0) FROM assessments_blob b WHERE b.id IN (
            SELECT f.blob_id FROM assessments_versionfile f
            JOIN assessments_version v ON v.id = f.version_id WHERE v.assessment_id = a.id))
    WHERE a.id = ANY(%s)
    """,
)
BACKWARDS = (  # the newest version's files; older ones have no place in the old table
    """
    INSERT INTO assessments_sourcefile (assessment_id, path, kind, size, sha256, content)
    SELECT v.assessment_id, f.path, f.kind, b.size, b.sha256, b.content
    FROM assessments_versionfile f
    JOIN assessments_version v ON v.id = f.version_id
    JOIN assessments_blob b ON b.id = f.blob_id
    WHERE v.assessment_id = ANY(%s) AND v.number = (
        SELECT max(n.number) FROM assessments_version n WHERE n.assessment_id = v.assessment_id)
    ON CONFLICT DO NOTHING
    """,
    """
    UPDATE assessments_assessment a SET stored_bytes = (
        SELECT coalesce(sum(size), 0) FROM assessments_sourcefile WHERE assessment_id = a.id)
    WHERE a.id = ANY(%s)
    """,
)


def forwards(apps: Any, schema_editor: Any) -> None:
    _in_batches(apps, schema_editor, FORWARDS)


def backwards(apps: Any, schema_editor: Any) -> None:
    _in_batches(apps, schema_editor, BACKWARDS)


def _in_batches(apps: Any, schema_editor: Any, statements: tuple[str, ...]) -> None:
    """A batch is one transaction, and may be repeated: an interrupted migration goes on."""
    rows, last = apps.get_model("assessments", "Assessment").objects.order_by("pk"), None
    while True:
        left = rows.filter(pk__gt=last) if last else rows
        batch = list(left.values_list("pk", flat=True)[:ASSESSMENTS_AT_ONCE])
        if not batch:
            return
        with transaction.atomic(), schema_editor.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, [batch])
        last = batch[-1]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("assessments", "0012_versions")]

    operations = [migrations.RunPython(forwards, backwards)]
