"""Static files for browsers: compressed, and under names with a hash of their content, so that a
cache may keep them for ever.

``manage.py up`` collects them into the home folder when it starts after a change, the container
image when it is built. If nothing has been collected (tests, single commands), they keep their own
names.
"""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage


class CollectedStorage(CompressedManifestStaticFilesStorage):
    support_js_module_import_aggregation = True  # modules import each other by hashed names

    def read_manifest(self) -> str | None:
        return super().read_manifest() if self.location else None

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name


def collect() -> bool:
    """Collect changed files into STATIC_ROOT; False if nothing has changed."""
    mark = settings.COLLECTED_HERE / ".collected"
    state = _state_of_sources()
    if mark.exists() and mark.read_text() == state:
        return False
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    mark.write_text(state)
    return True


def _state_of_sources() -> str:
    """A digest of every file's name, size and time."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            size, time = storage.size(name), storage.get_modified_time(name)
            digest.update(f"{name}\0{size}\0{time.timestamp()}\0".encode())
    return digest.hexdigest()
