#!/usr/bin/env python
"""A second project on tasks_ui. Run it as docs/tasks_ui.md describes."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # where tasks_ui is
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailroom.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
