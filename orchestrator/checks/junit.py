"""Results as JUnit's XML, the form that build servers read."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence

from orchestrator.checks.suite import Result

__all__ = ["junit"]


def junit(network: str, results: Sequence[Result], seed: int | None = None) -> bytes:
    """One suite, one case a test and round with its figures as properties; all text is escaped."""
    failures = sum(result.has_failed for result in results)
    skipped = sum(result.held.verdict.is_skipped for result in results)
    seconds = sum(result.held.seconds for result in results)
    suite = ElementTree.Element(
        "testsuite",
        name=network,
        tests=str(len(results)),
        failures=str(failures),
        errors="0",
        skipped=str(skipped),
        time=f"{seconds:.3f}",
    )
    if seed is not None:
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", name="seed", value=str(seed))
    for result in results:
        again = f" (round {result.round})" if result.round > 1 else ""
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"{network}.{result.test.kind}",
            name=f"{result.test.title}{again}",
            time=f"{result.held.seconds:.3f}",
        )
        verdict = result.held.verdict
        if verdict.figures:
            measured = ElementTree.SubElement(case, "properties")
            for name, value in verdict.figures.items():
                ElementTree.SubElement(measured, "property", name=name, value=f"{value:.6g}")
        if verdict.is_skipped:
            ElementTree.SubElement(case, "skipped", message=verdict.seen)
        elif not verdict:
            failure = ElementTree.SubElement(case, "failure", message=verdict.seen)
            failure.text = f"expected {verdict.expected}\nsaw      {verdict.seen}"
        else:
            ElementTree.SubElement(case, "system-out").text = verdict.seen
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"
