"""JUnit's XML, as CI servers read it: a test case for each finding, failed, and one, with an error,
for each file that was not read.

It follows the schema that Jenkins holds such files to (xunit-plugin, junit-10.xsd).
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence

from infra_mind_client.review import Finding, Gate, Review, Unread


def as_junit(review: Review) -> str:
    suites = ET.Element("testsuites", name=_text(f"Infra Mind: {review.assessment}"))
    shown = [*(review.new if review.base else review.findings), *review.accepted]
    for agent in dict.fromkeys(each.agent for each in shown):
        _findings(suites, agent, [each for each in shown if each.agent == agent])
    _coverage(suites, review.unread)
    if review.gates:
        _gates(suites, review.gates)
    ET.indent(suites, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, "unicode") + "\n"


def _findings(suites: ET.Element, agent: str, findings: Sequence[Finding]) -> None:
    accepted = sum(bool(each.accepted) for each in findings)
    suite = _suite(
        suites, agent, len(findings), failures=len(findings) - accepted, skipped=accepted
    )
    for each in findings:
        about = f" ({each.resource})" if each.resource else ""
        case = _case(suite, f"{each.rule} {each.title}{about}", each.file or each.resource)
        if each.accepted:
            ET.SubElement(case, "skipped", message=_text(each.accepted))
        else:
            failure = ET.SubElement(
                case, "failure", type=each.severity, message=_text(f"{each.title} {each.place}")
            )
            words = (each.place, each.shown, each.remediation, each.url)
            failure.text = _text("\n".join(filter(None, words)))


def _coverage(suites: ET.Element, unread: Sequence[Unread]) -> None:
    suite = _suite(suites, "coverage", max(1, len(unread)), errors=len(unread))
    for each in unread:
        case = _case(suite, f"{each.place} is read", each.path)
        ET.SubElement(case, "error", type="unread", message=_text(each.reason))
    if not unread:
        _case(suite, "Every file of an assessed kind is read", "coverage")


def _gates(suites: ET.Element, gates: Sequence[Gate]) -> None:
    failed = sum(gate.passed is False for gate in gates)
    unknown = sum(gate.passed is None for gate in gates)
    suite = _suite(suites, "gates", len(gates), failures=failed, errors=unknown)
    for gate in gates:
        case = _case(suite, gate.name, "gates")
        if not gate.passed:
            kind = "failure" if gate.passed is False else "error"
            ET.SubElement(case, kind, type="gate", message=_text(gate.message))


def _suite(suites: ET.Element, name: str, tests: int, **counts: int) -> ET.Element:
    every = {"tests": tests, "failures": 0, "errors": 0, "skipped": 0, **counts}
    numbers = {key: str(value) for key, value in every.items()}
    return ET.SubElement(suites, "testsuite", {"name": _text(name), **numbers})


def _case(suite: ET.Element, name: str, classname: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", name=_text(name), classname=_text(classname))


def _text(words: str) -> str:
    """What XML 1.0 can hold (section 2.2, Char): names and lines come from people's files."""
    return "".join(c if _is_char(ord(c)) else "\N{REPLACEMENT CHARACTER}" for c in words)


def _is_char(code: int) -> bool:
    return (
        code in {0x9, 0xA, 0xD}
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )
