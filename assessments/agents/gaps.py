"""What an agent could not look at, and how that affects its score.

A file that was not read in full may contain anything, so a score of 100 would claim something
unchecked: it is withheld. A lower score stays: it is the score of what was read, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from assessments.agents.types import Agent, AgentResult, AgentStatus
from assessments.agents.wording import counted
from assessments.scan.types import CoverageStatus, FileCoverage, Resource

MAX_NAMED = 20
"""Files that an answer names; the rest is counted."""


def with_gaps(
    agent: Agent,
    result: AgentResult,
    coverage: Iterable[FileCoverage],
    resources: Iterable[Resource] = (),
) -> AgentResult:
    """The answer with the files among ``coverage`` that ``agent`` would have used and that were not
    read in full, and with the ``resources`` of which the upload does not say how many there are, or
    whether there are any. The latter leave the score: what is declared was looked at. Blocks that
    may be there or not were not."""
    looked_at = [each for each in resources if each.origin in agent.looks_at]
    unsettled = _unsettled(looked_at)
    told = _with_unread(agent, result, coverage)
    if told.score == 100 and (unknown := sum(bool(each.open_blocks) for each in looked_at)):
        words = f"{counted(unknown, 'resource')} may have more blocks than the upload shows"
        told = _at_most(told, words)
    return told.replace(gaps=[*told.gaps, *unsettled]) if unsettled else told


def _unsettled(resources: Iterable[Resource]) -> list[str]:
    words = {
        f"{each.file}:{each.line_start} {each.address}: {_why(each)}": each
        for each in resources
        if each.uncertain or not each.count_known or each.open_blocks
    }
    named = sorted(words, key=lambda text: (words[text].file, words[text].line_start, text))
    more = len(named) - MAX_NAMED
    rest = [f"and {counted(more, 'more resource')} of unknown count"] if more > 0 else []
    return [*named[:MAX_NAMED], *rest]


def _why(resource: Resource) -> str:
    if resource.uncertain:
        return resource.uncertain
    if not resource.count_known:
        return "at least 1; the upload does not say how many"
    blocks = ", ".join(resource.open_blocks[:MAX_NAMED])
    return f"the upload does not say how many {blocks} blocks it has"


def _with_unread(
    agent: Agent, result: AgentResult, coverage: Iterable[FileCoverage]
) -> AgentResult:
    unread = [
        each
        for each in coverage
        if each.kind in agent.looks_at and each.status is not CoverageStatus.READ
    ]
    if not unread:
        return result
    files = len({each.path for each in unread})
    words = f"{counted(files, 'file')} {'was' if files == 1 else 'were'} not read in full"
    told = result.replace(gaps=_named(unread))
    if result.status == AgentStatus.NOT_ASSESSED:
        return told.replace(reason=f"{result.reason} {words}.".strip())
    told = told.replace(summary=f"{result.summary} {words}.".strip())
    if result.score is None:
        return told
    if result.score < 100:
        return told.replace(score_formula=f"{result.score_formula}. Of what was read: {words}")
    return _at_most(told, words)


def _at_most(result: AgentResult, words: str) -> AgentResult:
    formula = f"No score: what was read scores 100, but {words}. {result.score_formula}"
    return result.replace(score=None, score_formula=formula)


def _named(unread: list[FileCoverage]) -> list[str]:
    ordered = sorted(unread, key=lambda each: (each.status.value, each.path, each.line or 0))
    named = list(dict.fromkeys(_gap(each) for each in ordered))
    more = len({each.path for each in unread}) - MAX_NAMED
    rest = f"and {counted(more, 'more file')}" if more > 0 else "and more of these files"
    return [*named[:MAX_NAMED], *([rest] if len(named) > MAX_NAMED else [])]


def _gap(file: FileCoverage) -> str:
    place = f"{file.path}:{file.line}" if file.line else file.path
    what = "was read in part" if file.status is CoverageStatus.PARTLY_READ else "was not read"
    return f"{place} {what}{f': {file.reason}' if file.reason else ''}"
