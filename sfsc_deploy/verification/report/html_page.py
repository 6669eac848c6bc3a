"""A verdict as one HTML page that needs nothing but itself."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files

from sfsc_deploy import __version__
from sfsc_deploy.verification.exhibits import Exhibits
from sfsc_deploy.verification.fidelity import COSINES
from sfsc_deploy.verification.report.heat_map import heat_map
from sfsc_deploy.verification.report.histogram import histogram
from sfsc_deploy.verification.report.markup import Html, joined, tag
from sfsc_deploy.verification.report.pictures import lost_pictures, row_pictures
from sfsc_deploy.verification.report.texts import figure, thresholds_told
from sfsc_deploy.verification.report.waterfall_drawing import waterfall_drawing
from sfsc_deploy.verification.summary import Objection, conclusion, objections, remarks, short_names
from sfsc_deploy.verification.verdict import Artifact, Check, Status, Verdict


def page(verdict: Verdict) -> str:
    """The document: the verdict, what stands against it, the fleet, its matrix, its rows, and every check."""
    names = short_names([artifact.name for artifact in verdict.artifacts])
    sections = (
        _headline(verdict),
        *_objections(verdict),
        _section("Fleet", _fleet(verdict, names)),
        _section("Cross-tests", heat_map(verdict, names)),
        *_rows(verdict, names),
        *_waterfalls(verdict, names),
        *_lost(verdict, names),
        _section("Every check", *_checks(verdict)),
        tag("footer", tag("p", thresholds_told(verdict)), tag("p", f"Made by sfsc-deploy {__version__}.")),
    )
    return "<!doctype html>\n" + tag("html", _head(verdict), tag("body", tag("main", *sections)), lang="en") + "\n"


def _head(verdict: Verdict) -> Html:
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    return tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        tag("title", f"{verdict.status.value}: verify-compat"),
        tag("style", Html(style)),
    )


def _headline(verdict: Verdict) -> Html:
    return tag(
        "header",
        tag("p", "sfsc-deploy verify-compat"),
        tag("h1", conclusion(verdict)),
        *map(_remark, remarks(verdict)),
        class_=_class(verdict),
    )


def _remark(words: str) -> Html:
    return tag("p", words)


def _class(found: Verdict | Check | Objection) -> str:
    return found.status.value.lower()


def _section(heading: str, *content: str) -> Html:
    return tag("section", tag("h2", heading), *content)


def _objections(verdict: Verdict) -> Iterator[Html]:
    found = objections(verdict)
    if found:
        yield _section("What stands against it", tag("ul", *map(_objection, found), class_="objections"))


def _objection(objection: Objection) -> Html:
    heading = tag("h3", _badge(objection.status), f" {objection.place}: {', '.join(objection.checks)}")
    return tag("li", heading, tag("p", objection.why), *_command(objection.command), class_=_class(objection))


def _badge(status: Status) -> Html:
    return tag("span", status.value, class_=f"badge {status.value.lower()}")


def _command(command: str | None) -> tuple[Html, ...]:
    return (tag("pre", tag("code", command)),) if command else ()


def _fleet(verdict: Verdict, names: Mapping[str, str]) -> Html:
    return _table(
        ("status", "artifact", "kind", "width", "precision", "space", "run by"),
        (
            (_badge(verdict.status_of(artifact.name)), tag("code", names[artifact.name]), *_facts(artifact))
            for artifact in verdict.artifacts
        ),
    )


def _facts(artifact: Artifact) -> tuple[str, ...]:
    width = "" if artifact.width is None else f"{artifact.width:g}"
    space = (artifact.space or "")[:12]
    return artifact.kind, width, artifact.precision or "", space, artifact.backend or "not run"


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Html:
    """A table whose cells know their heading: on a narrow screen each row becomes a list."""
    head = tag("thead", tag("tr", *(tag("th", heading, scope="col") for heading in headings)))
    cells = (
        tag("tr", *(tag("td", cell, data_label=heading) for heading, cell in zip(headings, row, strict=True)))
        for row in rows
    )
    return tag("table", head, tag("tbody", *cells), class_="list")


def _rows(verdict: Verdict, names: Mapping[str, str]) -> Iterator[Html]:
    drawings = [drawing for check in verdict.checks for drawing in _drawing(check, names, verdict.exhibits)]
    if drawings:
        told = "Each row of the probe: its distance 1 - cosine to the float32 reference, a logarithmic scale."
        yield _section("Fidelity, row by row", tag("p", told), tag("div", *drawings, class_="drawings"))


def _drawing(check: Check, names: Mapping[str, str], exhibits: Exhibits) -> Iterator[Html]:
    cosines = check.details.get(COSINES)
    if isinstance(cosines, tuple) and isinstance(check.threshold, float):
        caption = tag("figcaption", tag("code", names[check.subject]), f" least cosine {figure(check.value)}")
        yield tag("figure", caption, histogram(cosines, check.threshold), *row_pictures(exhibits, check.subject))


def _lost(verdict: Verdict, names: Mapping[str, str]) -> Iterator[Html]:
    exhibits = verdict.exhibits
    if exhibits.pair is not None and exhibits.lost:
        query, gallery = (names[name] for name in exhibits.pair)
        told = (
            f"Of the weakest pair, {query} searching in the gallery of {gallery}: the queries whose first match fell "
            f"back furthest, compared with {names[exhibits.weaker or '']} by itself."
        )
        yield _section("What queries find", tag("p", told), lost_pictures(exhibits.lost))


def _waterfalls(verdict: Verdict, names: Mapping[str, str]) -> Iterator[Html]:
    if verdict.waterfalls:
        told = (
            "Each step's own least cosine to the step before, as a distance on a logarithmic scale, and what it does "
        )
        drawn = (
            waterfall_drawing(way, names[way.artifact], _limit(verdict, way.artifact)) for way in verdict.waterfalls
        )
        paragraph = tag("p", f"{told}to the mAP of the self-test on the probe.")
        yield _section("Where a loss comes from", paragraph, tag("div", *drawn, class_="drawings"))


def _limit(verdict: Verdict, artifact: str) -> float | None:
    """The least cosine that fidelity allows."""
    found = (check.threshold for check in verdict.checks if (check.subject, check.name) == (artifact, "fidelity"))
    return next((limit for limit in found if isinstance(limit, float)), None)


def _checks(verdict: Verdict) -> Iterator[Html]:
    for artifact in verdict.artifacts:
        status = verdict.status_of(artifact.name)
        summary = tag("summary", _badge(status), " ", tag("code", artifact.name))
        opened = {} if status is Status.PASS else {"open": ""}
        rows = (_check(check) for check in verdict.checks if check.subject == artifact.name)
        table = _table(("status", "check", "value", "threshold", "why"), rows)
        yield tag("details", summary, table, **opened)


def _check(check: Check) -> tuple[str, ...]:
    name = joined(tag("strong", check.name), f" with gallery {check.gallery}" if check.gallery else "")
    why = joined(check.why, *_command(check.command))
    return _badge(check.status), name, figure(check.value), figure(check.threshold), why
