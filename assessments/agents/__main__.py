"""One agent from a shell: ``python -m assessments.agents security < input.json``.

Reads an ``AgentInput`` as JSON from standard input, prints progress to standard error and the
``AgentResult`` as JSON to standard output. Exit status: 0 when the agent answered, 2 for a wrong
name or input.
"""

from __future__ import annotations

import sys

import msgspec

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in AGENTS:
        sys.stderr.write(
            f"usage: python -m assessments.agents {{{','.join(AGENTS)}}} < input.json\n"
        )
        return 2
    try:
        data = AgentInput.from_json(sys.stdin.buffer.read())
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        sys.stderr.write(f"The input is not an AgentInput: {error}\n")
        return 2
    result = AGENTS[arguments[0]].run(data, _print_progress)
    sys.stdout.write(msgspec.json.format(result.to_json()).decode() + "\n")
    return 0


def _print_progress(done: int, total: int, message: str) -> None:
    sys.stderr.write(f"{done}/{total} {message}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
