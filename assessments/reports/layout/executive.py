"""The executive report: what is at risk, what it costs, what to do first, how certain that is.

It has at most four pages as PDF, so every list and every text in it is bounded.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from assessments.agents.wording import capital, counted
from assessments.ages import YEAR, age, months_old
from assessments.reports.layout.blocks import (
    Bars,
    Block,
    Cards,
    Drawing,
    Heading,
    Item,
    Lead,
    Notice,
    Sources,
    Table,
    Text,
    clean,
    clipped,
    clipped_place,
    sentence,
)
from assessments.reports.layout.trend_chart import trend_chart

NOTICES, PATHS, RISKS, BUDGETS, ACTIONS, REASONS, VINTAGES = 3, 2, 5, 4, 8, 6, 8
LONG, SHORT, NAME = 190, 100, 64
"""Characters of a paragraph, of a cell, and of a place or an address."""
SANDBOXES = {
    "isolated": "The engines ran in an isolated sandbox.",
    "confined": "The engines ran in a confined sandbox.",
    "open": "The engines ran in an open sandbox: they were not confined.",
}
STATUSES = {"not_assessed": "Not assessed", "failed": "Could not be read", "partly_read": "In part"}
PATHS_FOUND = "References between resources; the technical report lists each with its file and line"
_PLACES = re.compile(r" \([^()]*:\d+\)")
_SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z0-9])")
_COMMA = re.compile(r"(?<=.{60}), [^,]*…$")
_NAMED = re.compile(r"\S*[/~]\S*[^\s.,;:]")
"""What reasons that are otherwise alike name: a module, a file."""
WITHOUT_SCORE = {"assessed": "No score", "failed": "Failed"}


def executive(document: Mapping[str, Any]) -> Iterator[Block]:
    sources = Sources(limit=2 * LONG)
    parts = _Parts(document, sources)
    yield Text(parts.about(), is_dim=True)
    yield from parts.notices()
    yield Lead(parts.lead())
    if parts.is_assessed:
        yield Cards(list(parts.cards()))
    yield Bars(["Pillar", "Score", "In short"], [_score(each) for each in document["agents"]])
    if parts.is_assessed:
        yield from parts.trend()
        yield from parts.risks()
        yield from parts.cost()
        yield from parts.actions()
        yield from parts.map()
    yield from parts.confidence()
    notes = sources.notes()
    if notes.rows:
        yield Heading(3, "Sources", "sources")
        yield notes


class _Parts:
    """The sections, which share the document and the numbers of its sources."""

    def __init__(self, document: Mapping[str, Any], sources: Sources) -> None:
        self.document, self.cite = document, sources.cite
        self.counts = {figure["key"]: figure for figure in document["summary"]["figures"]}
        agents = {answer["agent"]: answer for answer in document["agents"]}
        self.costs = {figure["key"]: figure for figure in agents.get("cost", {}).get("figures", [])}
        self.costs_answer: Mapping[str, Any] = agents.get("cost", {})
        self.budgets = document["summary"]["budgets"]
        self.paths = document.get("map", {}).get("paths", [])

    @property
    def is_assessed(self) -> bool:
        return any(answer["status"] == "assessed" for answer in self.document["agents"])

    def about(self) -> str:
        about = self.document["about"]
        at = about["assessed_at"]
        scopes = len(about["scopes"])
        facts = [
            f"Run {about['run']}",
            f"assessed {date.fromisoformat(at[:10]):%-d %B %Y}" if at else "",
            counted(scopes, "scope") if scopes > 1 else "",
            about["scopes"][0]["label"] if about["scope"] and scopes else "",
        ]
        return clean(" · ".join(filter(None, facts)))

    def notices(self) -> Iterator[Block]:
        reasons = self.document["about"]["needs_attention"]
        for reason in reasons[:NOTICES]:
            files = ", ".join(reason["files"][:3]) if reason["count"] > 1 else ""
            yield Notice(
                clipped(
                    f"Needs attention: {reason['message']}{f' ({files})' if files else ''}", LONG
                )
            )
        if len(reasons) > NOTICES:
            yield Notice(f"{counted(len(reasons) - NOTICES, 'more reason')} in the other reports.")

    def lead(self) -> str:
        """The answer in a few sentences, none of which claims more than was counted."""
        if not self.is_assessed:
            return "Nothing could be assessed. The table lists what each pillar needs."
        words = [self._findings_in_words()]
        if self.paths:
            words.append(f"{capital(self._paths_in())} to data.")
        if "monthly_cost" in self.costs:
            what = "priced" if self._is_partial() else "declared"
            words.append(f"The {what} resources cost {self._money('monthly_cost')} a month.")
        if comparison := self.document["summary"]["comparison"]:
            words.append(
                f"Since run {comparison['run']}: {comparison['new']:,} new,"
                f" {comparison['fixed']:,} fixed."
            )
        return " ".join(words)

    def _findings_in_words(self) -> str:
        critical, high = (self._count(f"findings_{level}") for level in ("critical", "high"))
        severe = [f"{n:,} {word}" for n, word in ((critical, "critical"), (high, "high")) if n]
        total = self._total()
        if not total:
            return "No finding in what was checked."
        if not severe:
            return f"{capital(counted(total, 'finding'))}, none of them critical or high."
        last = high or critical
        noun = "finding" if last == 1 else "findings"
        return f"{capital(' and '.join(severe))} {noun}, of {total:,} in all."

    def _paths_in(self) -> str:
        more = "at least " if self.document["map"]["more_paths"] else ""
        paths = counted(len(self.paths), "path")
        return f"{more}{paths} {'leads' if len(self.paths) == 1 else 'lead'} from the internet"

    def cards(self) -> Iterator[tuple[str, str, str]]:
        severe = self._count("findings_critical") + self._count("findings_high")
        muted = self._count("findings_muted")
        counted_by = self.counts["findings_critical"]["source"]
        yield (
            f"{severe:,}",
            "critical or high",
            f"of {_number(self._total(), 'finding')}{f'; {muted:,} muted' if muted else ''}"
            f" {self.cite(counted_by)}",
        )
        if self.document.get("map"):
            more = "+" if self.document["map"]["more_paths"] else ""
            paths = "path" if len(self.paths) == 1 else "paths"
            cited = self.cite(PATHS_FOUND)
            yield f"{len(self.paths)}{more}", f"{paths} to data", f"from the internet {cited}"
        yield self._cost_card()
        cited = self.cite(
            self.counts["files_read"]["source"], self.counts["checks_passed"]["source"]
        )
        yield (
            f"{self._count('files_read'):,} of {self._files():,}",
            "files read",
            f"{_number(self._checks(), 'check')} ran {cited}",
        )

    def _cost_card(self) -> tuple[str, str, str]:
        if "monthly_cost" not in self.costs:
            return "Not priced", "monthly cost", "the reason is under “What it costs”"
        least = "at least, " if self._is_partial() else ""
        return (
            f"{float(self.costs['monthly_cost']['value']):,.0f} USD",
            f"{least}a month",
            f"{self._against_budget()} {self.cite(self.costs['monthly_cost']['source'])}",
        )

    def _against_budget(self) -> str:
        if len(self.budgets) == 1:
            left = float(self.budgets[0]["value"])
            where = "over" if left < 0 else "below"
            return f"{self._bound(left)}{abs(left):,.0f} {where} the budget"
        missed = sum(float(each["value"]) < 0 for each in self.budgets)
        if self.budgets:
            return f"{missed} of {len(self.budgets)} budgets missed"
        stated = self.document["about"]["requirements"].get("monthly_budget_usd")
        return "not compared with a budget" if stated else "no budget is stated"

    def _bound(self, left: float) -> str:
        """How a cost that is "at least" qualifies the distance to the budget."""
        if not self._is_partial():
            return ""
        return "at least " if left < 0 else "at most "

    def trend(self) -> Iterator[Block]:
        trend = self.document.get("trend")
        if not trend:
            return
        first, last = trend[0], trend[-1]
        yield Heading(3, "Trend", "trend")
        yield Drawing(
            trend_chart(trend),
            f"Findings went from {first['findings']:,} in run {first['run']} to"
            f" {last['findings']:,} in run {last['run']}, critical or high from"
            f" {first['severe']:,} to {last['severe']:,}. {self.cite(last['source'])}",
        )

    def risks(self) -> Iterator[Block]:
        yield Heading(2, "What is at risk", "risks")
        rows = self.document["recommendations"][:RISKS]
        if not rows and not self.paths:
            yield Text("No risk was found in what was checked.")
        for path in self.paths[:PATHS]:
            names = [path[0]["from"], *(step["to"] for step in path)]
            yield Item(
                "",
                clipped(" → ".join(names), SHORT),
                sentences(f"The internet reaches data: {_PLACES.sub('', path[0]['why'])}.", LONG),
                clipped_place(path[0]["source"], NAME),
            )
        for row in rows:
            more = row["impact"]["places"] - 1
            exposure = row["impact"].get("exposure", [])
            reached = "The internet can reach it." if exposure else ""
            yield Item(
                row["severity"],
                clipped(row["problem"], SHORT),
                " ".join(filter(None, [self._why(row), reached])),
                clipped_place(row["where"], NAME)
                + (f" and {counted(more, 'more place')}" if more > 0 else ""),
            )

    def _why(self, row: Mapping[str, Any]) -> str:
        """Without what the heading already says."""
        return "" if row["why"] == row["problem"] else sentence(sentences(row["why"], LONG))

    def cost(self) -> Iterator[Block]:
        yield Heading(2, "What it costs", "costs")
        if "monthly_cost" not in self.costs:
            reason = self.costs_answer.get("summary") or self.costs_answer.get("reason")
            yield Text(sentences(reason or "The cost was not assessed.", 2 * LONG))
            return
        yield Table(
            ["", "USD a month", "", "Source"], list(self._cost_rows()), {1}, [26, 16, 46, 12]
        )

    def _cost_rows(self) -> Iterator[list[str]]:
        cost, unpriced = self.costs["monthly_cost"], self.costs.get("unpriced")
        remark, sources = "every component that was found has a price", [cost["source"]]
        if unpriced and unpriced["value"]:
            number = int(unpriced["value"])
            verb = "has" if number == 1 else "have"
            remark = f"at least that: {counted(number, 'component')} {verb} no price"
            sources.append(unpriced["source"])
        yield ["Monthly cost", _usd(cost), remark, self.cite(*sources)]
        for budget in self.budgets[:BUDGETS]:
            left = float(budget["value"])
            words = "Over the budget" if left < 0 else "Left in the budget"
            if bound := self._bound(left).strip():
                words = f"{words}, {bound}"
            yield [words, _usd(budget), clipped(budget["scope"], NAME), self.cite(budget["source"])]
        savings = self.costs.get("savings")
        if savings and savings["value"]:
            yield [
                "Possible savings",
                _usd(savings),
                "from the findings of the cost agent",
                self.cite(savings["source"]),
            ]

    def actions(self) -> Iterator[Block]:
        yield Heading(2, "What to do first", "actions")
        rows = self.document["recommendations"][:ACTIONS]
        if not rows:
            yield Text("No recommendation is open.")
            return
        order = self.document["formulas"][-1]["source"]
        table = [
            [
                str(row["priority"]),
                clipped(row["title"], SHORT),
                clipped_place(row["where"], NAME),
                row["effort"].capitalize(),
                self._effect(row),
            ]
            for row in rows
        ]
        columns = ["", "Action", "Where", "Effort", "Effect"]
        yield Table(columns, table, {0}, [3, 33, 26, 9, 29])
        yield Text(f"Ordered by severity, exposure, reach and effort. {self.cite(order)}", True)

    def _effect(self, row: Mapping[str, Any]) -> str:
        severities = row["impact"]["severities"]
        counts = ", ".join(
            f"{severities[level]:,} {level}"
            for level in ("critical", "high", "medium", "low", "info")
            if severities.get(level)
        )
        words = [f"Resolves {counts}"]
        if row["saving"]:
            words.append(f"saves {row['saving']['monthly_usd']} USD a month")
        if row["fix"] and row["fix"].get("files"):
            words.append("a proven fix is ready")
        return "; ".join(words)

    def confidence(self) -> Iterator[Block]:
        yield Heading(2, "How certain this is", "confidence")
        about = self.document["about"]
        words = [self._read_in_words()]
        if about["sandbox"] in SANDBOXES and self._files():
            words.append(SANDBOXES[about["sandbox"]])
        if self._checks():
            passed, failed = self._count("checks_passed"), self._count("checks_failed")
            ran = _number(self._checks(), "check")
            undecided = self._count("checks_undecided")
            aside = f"; {undecided:,} more can't be determined" if undecided else ""
            words.append(f"{ran} ran: {passed:,} passed, {failed:,} failed{aside}.")
        yield Text(" ".join(words))
        yield from self._unread()
        yield from self._vintages()

    def _read_in_words(self) -> str:
        read, files = self._count("files_read"), self._files()
        if not files:
            return "No file was uploaded: the answers rest on the requirements alone."
        if read == files:
            return f"{capital(counted(files, 'file'))}, all read in full."
        return (
            f"{read:,} of {counted(files, 'file')} {'was' if read == 1 else 'were'} read in full."
        )

    def _unread(self) -> Iterator[Block]:
        by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
        reasons: dict[str, set[str]] = defaultdict(set)
        for row in self.document["coverage"]:
            if row["status"] != "read":
                alike = _NAMED.sub("…", row["reason"])
                reasons[alike].add(row["reason"])
                by_reason[row["status"], alike].append(row["file"])
        if not by_reason:
            return
        ranked = sorted(
            by_reason.items(), key=lambda pair: (pair[0][0] == "not_assessed", -len(pair[1]))
        )
        rows = [
            [
                f"{len(names):,}",
                STATUSES.get(status, status),
                clipped(reason if len(reasons[reason]) > 1 else min(reasons[reason]), LONG),
                clipped_place(names[0], NAME)
                + (f" and {len(names) - 1:,} more" if names[1:] else ""),
            ]
            for (status, reason), names in ranked[:REASONS]
        ]
        yield Table(["Files", "Read", "Why not", "Which"], rows, {0}, [5, 14, 45, 36])
        if more := sum(len(names) for _, names in ranked[REASONS:]):
            yield Text(f"{capital(counted(more, 'more file'))} for other reasons.", True)

    def _vintages(self) -> Iterator[Block]:
        dated = [row for row in self.document["data"] if row["as_of"]]
        dated = sorted(dated, key=lambda row: str(row["as_of"]))
        if not dated:
            return
        at = self.document["about"]["assessed_at"]
        now = date.fromisoformat(at[:10]) if at else None
        rows = [
            [clipped(row["name"], SHORT), row["as_of"], age(row["as_of"], now)]
            for row in dated[:VINTAGES]
        ]
        title = "Data used" if len(dated) <= VINTAGES else "Data used, oldest first"
        yield Table([title, "As of", "Age"], rows, {1, 2}, [66, 14, 20])
        if old := sum(months_old(row["as_of"], now) > YEAR for row in dated):
            is_older = "is" if old == 1 else "are"
            whose = "its" if old == 1 else "their"
            words = (
                f"{old} of {counted(len(dated), 'data set')} {is_older} older than a year:"
                f" {whose} figures may have changed."
            )
            yield Text(words, is_dim=True)

    def map(self) -> Iterator[Block]:
        if "svg" in self.document.get("map", {}):
            yield Heading(2, "Map", "map")
            yield Drawing(
                self.document["map"]["svg"],
                "Red: paths from the internet to data. Groups may be folded.",
                is_filling=True,
            )

    def _count(self, key: str) -> int:
        return int(self.counts[key]["value"])

    def _total(self) -> int:
        levels = ("critical", "high", "medium", "low", "info")
        return sum(self._count(f"findings_{level}") for level in levels)

    def _files(self) -> int:
        return sum(int(f["value"]) for key, f in self.counts.items() if key.startswith("files_"))

    def _checks(self) -> int:
        return self._count("checks_passed") + self._count("checks_failed")

    def _is_partial(self) -> bool:
        return bool(self.costs.get("unpriced", {}).get("value"))

    def _money(self, key: str) -> str:
        return f"{float(self.costs[key]['value']):,.2f} USD"


def sentences(text: str, limit: int) -> str:
    """The first whole sentences that fit; if the first alone is too long, it ends after one of its
    commas."""
    kept = ""
    for each in _SENTENCES.split(clean(text)):
        if len(kept) + len(each) > limit:
            break
        kept = f"{kept} {each}".strip()
    return kept or _COMMA.sub(", …", clipped(text, limit))


def _score(answer: Mapping[str, Any]) -> tuple[str, int | None, str, str]:
    score = answer["score"]
    without = WITHOUT_SCORE.get(answer["status"], "Not assessed")
    words = without if score is None else f"{score} of 100"
    remark = sentences(answer["summary"] or answer["reason"], LONG)
    return clean(answer["label"]), score, words, remark


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _usd(figure: Mapping[str, Any]) -> str:
    return f"{abs(float(figure['value'])):,.2f}"
