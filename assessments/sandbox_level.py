"""What a worker publishes of its machine when it starts."""

from __future__ import annotations

import logging
from pathlib import Path

from django.conf import settings

from assessments.scan.sandbox import probe, refusal

logger = logging.getLogger(__name__)


def sandbox_level() -> str:
    """The level that engines run at on this machine, said in the log, with the reasons why not a
    stronger one."""
    found = probe(Path(settings.SCANNER_PYTHON))
    if found.level != "open":
        logger.info("Sandbox: %s", found)
    elif settings.ALLOW_OPEN_SANDBOX:
        logger.warning("Sandbox: %s, and ALLOW_OPEN_SANDBOX is set.", found)
    else:
        logger.error("Sandbox: %s", refusal(found))
    return found.level
