"""Typesets one PDF in a process of its own, which gives its memory back when it ends: started by
``pdf.typeset`` with Typst's inputs on standard input; writes the PDF to standard output."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys

import typst

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before that
        return
    order = json.load(sys.stdin.buffer)
    template = order["template"].encode()
    sys.stdout.buffer.write(
        typst.compile(template, font_paths=typst.Fonts(), sys_inputs={"data": order["data"]})
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
