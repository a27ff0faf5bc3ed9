"""Verdicts as JUnit's XML, which CI servers show as test results."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mobilenet_profiler.render.verdicts import describe_numbers, name_figure
from mobilenet_profiler.verification.verdicts import Verdict, Verification


def render_junit(known: Verification) -> str:
    """A suite a source, a case a figure: differing ones fail, listed ones are skipped."""
    suites = Element("testsuites", {"name": "mobilenet-profiler verify", **_count_cases(known)})
    for source, part in known.by_source().items():
        suite = SubElement(suites, "testsuite", {"name": source, **_count_cases(part)})
        for verdict in part.verdicts:
            _add_case(suite, verdict)
    indent(suites)
    body = tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _count_cases(known: Verification) -> dict[str, str]:
    counts = known.count()
    return {
        "tests": str(len(known.verdicts)),
        "failures": str(counts["differs"]),
        "errors": "0",
        "skipped": str(counts["listed"]),
    }


def _add_case(suite: Element, verdict: Verdict) -> None:
    figure = verdict.figure
    case = SubElement(suite, "testcase", classname=figure.source, name=name_figure(figure))
    case.set("time", "0")
    if verdict.status == "differs":
        numbers = describe_numbers(verdict)
        failure = SubElement(case, "failure", type="differs", message=numbers)
        failure.text = verdict.reason
    elif verdict.status == "listed":
        SubElement(case, "skipped", message=verdict.reason)
    elif verdict.status == "known difference":
        output = SubElement(case, "system-out")
        output.text = f"known difference: {describe_numbers(verdict)}. {verdict.reason}"
