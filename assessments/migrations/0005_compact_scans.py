"""Scans are stored as deflated JSON, each part in a column of its own."""

from __future__ import annotations

import json
import zlib
from typing import Any

from django.db import migrations, models

PARTS = ("checks", "resources")


def packed(value: Any) -> bytes:
    return zlib.compress(json.dumps(value).encode(), level=1)


def pack(apps: Any, schema_editor: Any) -> None:
    for row in apps.get_model("assessments", "MergedScan").objects.iterator(chunk_size=1):
        for part in PARTS:
            setattr(row, part, packed({part: row.data.get(part, [])}))
        row.about = packed({key: v for key, v in row.data.items() if key not in PARTS})
        row.save(update_fields=[*PARTS, "about"])
    shards = apps.get_model("assessments", "ScanShard").objects.filter(output__isnull=False)
    for row in shards.iterator(chunk_size=1):
        row.packed = packed(row.output)
        row.save(update_fields=["packed"])


class Migration(migrations.Migration):
    dependencies = [("assessments", "0004_reports_and_mutes")]

    operations = [
        migrations.AddField("mergedscan", "checks", models.BinaryField(default=b"")),
        migrations.AddField("mergedscan", "resources", models.BinaryField(default=b"")),
        migrations.AddField("mergedscan", "about", models.BinaryField(default=b"")),
        migrations.AddField("scanshard", "packed", models.BinaryField(null=True)),
        migrations.RunPython(pack, migrations.RunPython.noop),
        migrations.RemoveField("mergedscan", "data"),
        migrations.RemoveField("scanshard", "output"),
        migrations.RenameField("scanshard", "packed", "output"),
        migrations.AlterField("mergedscan", "checks", models.BinaryField()),
        migrations.AlterField("mergedscan", "resources", models.BinaryField()),
        migrations.AlterField("mergedscan", "about", models.BinaryField()),
    ]
