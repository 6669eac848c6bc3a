"""A verdict as JUnit XML: a suite for each artifact, a test case for each check."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from sfsc_deploy.verification.report.texts import figure, legible, thresholds_told
from sfsc_deploy.verification.summary import conclusion
from sfsc_deploy.verification.verdict import Check, Status, Verdict

_OUTCOME = {Status.FAIL: "failure", Status.UNVERIFIED: "skipped"}


def junit(verdict: Verdict) -> str:
    """The document; what is UNVERIFIED is skipped, with its reason and the command that completes it."""
    root = Element("testsuites", {"name": "sfsc-deploy verify-compat", **_counts(verdict.checks)})
    for artifact in verdict.artifacts:
        checks = tuple(check for check in verdict.checks if check.subject == artifact.name)
        suite = SubElement(root, "testsuite", {"name": legible(artifact.name), **_counts(checks)})
        _add_properties(suite, verdict)
        for check in checks:
            _add_case(suite, check)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _counts(checks: tuple[Check, ...]) -> dict[str, str]:
    found = [check.status for check in checks]
    counts = {"tests": len(found), "failures": found.count(Status.FAIL), "skipped": found.count(Status.UNVERIFIED)}
    return {name: str(count) for name, count in counts.items()} | {"errors": "0"}


def _add_properties(suite: Element, verdict: Verdict) -> None:
    properties = SubElement(suite, "properties")
    for name, value in (("verdict", conclusion(verdict)), ("thresholds", thresholds_told(verdict))):
        SubElement(properties, "property", {"name": name, "value": legible(value)})


def _add_case(suite: Element, check: Check) -> None:
    against = f" with gallery {check.gallery}" if check.gallery else ""
    names = {"classname": check.subject, "name": f"{check.name}{against}"}
    case = SubElement(suite, "testcase", {name: legible(text) for name, text in names.items()})
    if check.status in _OUTCOME:
        SubElement(case, _OUTCOME[check.status], {"message": legible(_message(check))})
    SubElement(case, "system-out").text = legible(_figures(check))


def _message(check: Check) -> str:
    return f"{check.why} Next: {check.command}" if check.command else check.why


def _figures(check: Check) -> str:
    compared = f"\nvalue {figure(check.value)}, threshold {figure(check.threshold)}" if check.value is not None else ""
    return check.why + compared
