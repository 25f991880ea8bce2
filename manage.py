#!/usr/bin/env python
"""Infra Mind's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "infra_mind.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line

    from tasks_ui.runs.patience import DATABASE_ERRORS

    try:
        execute_from_command_line(sys.argv)
    except DATABASE_ERRORS:
        if settings.DATABASE_URL:
            raise
        sys.exit("Infra Mind is not running here. Start it with: make run")


if __name__ == "__main__":
    main()
