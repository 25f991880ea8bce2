"""Bicep's grammar, compiled when the scanner is installed.

Lark takes fifteen seconds to compile it. It would keep the result in the folder for temporary
files, which is empty for each engine, so each scan of a Bicep file would compile it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def use_compiled() -> None:
    """Have Checkov's parser load the compiled grammar; without it, it is compiled in memory."""
    import pycep.main

    lark = pycep.main.Lark
    path = str(Path(pycep.main.__file__).with_name("bicep.compiled"))

    def compiled(**options: Any) -> Any:
        return lark(**{**options, "cache": path})

    pycep.main.Lark = compiled


if __name__ == "__main__":
    use_compiled()
    import pycep.main

    pycep.main.BicepParser()
