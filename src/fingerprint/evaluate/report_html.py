"""An evaluation as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from fingerprint.evaluate.report_words import (
    SCALE,
    Share,
    family_of,
    headline,
    point_words,
    radius_words,
    rate_words,
    rows_by_family,
    rows_by_transform,
    share_words,
    source_words,
    views_of,
)

if TYPE_CHECKING:
    from fingerprint.evaluate.report import (
        ContenderResult,
        EditResult,
        OperatingPoint,
        RobustnessReport,
    )

__all__ = ["html_page"]

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1180px;padding:0 1rem;
color:#1c1e21}h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin:2.2rem 0 .4rem}
p,li{max-width:78ch}table{border-collapse:collapse;margin:.6rem 0;font-size:13px;display:block;
overflow-x:auto;max-width:100%}
th,td{padding:.22rem .55rem;text-align:right;white-space:nowrap}
th{border-bottom:1px solid #d9dde3;vertical-align:bottom}
th:first-child,td:first-child,td.words,th.words{text-align:left}
td.words{white-space:normal;max-width:34rem;color:#5f6671}
tr.family td{font-weight:600;padding-top:.7rem;color:#5f6671}img{max-width:100%}
.wide{overflow-x:auto}.note{color:#5f6671;font-size:13px}summary{cursor:pointer;font-weight:600}
details{margin:.7rem 0}.scale{display:inline-block;width:9rem;height:.7rem;vertical-align:middle;
margin:0 .4rem;background:linear-gradient(90deg,#c6511a,#f6d9c6,#f7f7f7,#c4dcec,#1c68a6)}
"""
_IN_TABLES, _STRATA = "recall_by_transform.png", "strata.png"


def html_page(report: RobustnessReport, pictures: Sequence[tuple[str, str, bytes]]) -> str:
    """Return the page; ``pictures`` are titles, file names and PNG data."""
    body = [
        "<h1>How far do hashes survive editing?</h1>",
        f"<p>{_e(_what(report))}</p>",
        _summary(report),
        _recalls(report),
        *(
            f"<h2>{_e(title)}</h2>{_picture(title, data)}"
            for title, file, data in pictures
            if file not in {_IN_TABLES, _STRATA}
        ),
        _strata(report, "".join(_picture(t, data) for t, f, data in pictures if f == _STRATA)),
        _views(report),
        _groups(report),
        _used(report),
    ]
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>Robustness report</title><style>{_STYLE}</style>{''.join(body)}</html>"
    )


def _what(report: RobustnessReport) -> str:
    distractors = f" and {report.n_distractors:,} distractors" if report.n_distractors else ""
    return (
        f"{source_words(report)}, each edited in {len(report.edits)} ways and looked for among "
        f"all{distractors}: {report.n_pairs:,} different pairs of pictures."
    )


def _summary(report: RobustnessReport) -> str:
    heads = (
        *("", "at", "radius, bits", "recall, all edits, %", "false pairs"),
        *("false-positive rate a pair (95 %)", "precision, %"),
    )
    rows = []
    for contender in report.contenders:
        for i, point in enumerate(contender.points):
            rows.append(_point_row(contender.name if not i else "", contender, point))
    note = (
        "Recall is over all edits alike, easy and hard: for comparing, not for planning. Precision "
        "depends on how many others there are. A radius found on these pictures may not hold on "
        "yours. A match is evidence for a person to look at, not a verdict."
    )
    notes = "".join(f"<li>{_e(one)}</li>" for one in report.notes)
    return (
        f"<h2>At a glance</h2>{_table(heads, rows)}"
        f"<p class='note'>{_e(note)}</p><ul class='note'>{notes}</ul>"
    )


def _point_row(name: str, contender: ContenderResult, point: OperatingPoint) -> str:
    precision = "–" if point.precision is None else share_words(point.precision)
    cells = [
        f"<b>{_e(name)}</b>",
        _e(point_words(point)),
        f"{radius_words(point)} of {contender.bits}",
    ]
    figures = [
        f"{point.false:,} of {point.pairs:,}",
        rate_words(point.rate, point.rate_low, point.rate_high),
        precision,
    ]
    note = f" title='{_e(point.note)}'" if point.note else ""
    middle = _heat(Share(round(point.recall * 10**6), 10**6))
    cut = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr{note}>{cut}{middle}{''.join(f'<td>{_e(one)}</td>' for one in figures)}</tr>"


def _recalls(report: RobustnessReport) -> str:
    first = headline(report)
    point = first.name
    names = [contender.name for contender in report.contenders]
    parts = [
        f"<h2>Recall at {_e(point_words(first))}</h2>",
        "<p class='note'>% of edited copies that found their original; 0 "
        "<span class='scale'></span> 100. Each contender at its own radius: "
        f"{_e(_radii(report, point))}.{_e(_unshown(report, point))}</p>",
        _table(("kind of edit", *names), _heat_rows(rows_by_family(report, point))),
        "<details open><summary>By transform, over its strengths</summary>",
        _table(("transform", *names), _heat_rows(rows_by_transform(report, point))),
        "</details>",
        _every_edit(report, point),
    ]
    if any(one.name == "published" for one in report.contenders[0].points):
        parts.append(_every_edit(report, "published"))
    return "".join(parts)


def _radii(report: RobustnessReport, point: str) -> str:
    return ", ".join(f"{c.name} {radius_words(c.point(point))}" for c in report.contenders)


def _unshown(report: RobustnessReport, point: str) -> str:
    note = report.contenders[0].point(point).note
    return f" {note}." if point.startswith("rate") and note else ""


def _heat_rows(rows: Mapping[str, Sequence[Share]]) -> list[str]:
    return [
        f"<tr><td>{_e(name)}</td>{''.join(map(_heat, shares))}</tr>"
        for name, shares in rows.items()
    ]


def _every_edit(report: RobustnessReport, point: str) -> str:
    """Return a folded table of each edit with intervals."""
    contenders = [c for c in report.contenders if any(p.name == point for p in c.points)]
    rows, family = [], ""
    for i, edit in enumerate(contenders[0].edits):
        if family_of(edit.transform) != family:
            family = family_of(edit.transform)
            rows.append(f"<tr class='family'><td colspan='99'>{_e(family)}</td></tr>")
        cells = "".join(_interval_cell(c.edits[i], point) for c in contenders)
        rows.append(f"<tr><td>{_e(edit.edit)}</td>{cells}</tr>")
    told = point_words(contenders[0].point(point))
    heads = [f"{_e(c.name)}<br>radius {radius_words(c.point(point))}" for c in contenders]
    return (
        f"<details><summary>Every edit, with 95 % intervals (Wilson), at "
        f"{_e(told)}</summary>{_table(('edit', *heads), rows, raw=True)}</details>"
    )


def _interval_cell(edit: EditResult, point: str) -> str:
    recall = edit.recall(point)
    told = f"{share_words(recall.low)} to {share_words(recall.high)} %, n = {edit.n:,}"
    low = f", {edit.low_quality:,} of low quality" if edit.low_quality else ""
    failed = f", {edit.failed:,} could not be hashed" if edit.failed else ""
    return _heat(Share(recall.found, edit.n), f"{told}{low}{failed}")


def _strata(report: RobustnessReport, picture: str) -> str:
    """Return the plot and tables of false positives by kind of pair."""
    parts = [
        "<h2>False positives by kind of pair</h2><p class='note'>Pictures of one folder are often "
        "of one kind, and nearer to each other; pictures with too little in them are near to "
        "anything. None seen says only that the rate is at most what is written.</p>",
        picture,
    ]
    for i, contender in enumerate(report.contenders):
        points = contender.points
        heads = ("pairs of", "how many", *(f"{p.name}: {radius_words(p)} bits" for p in points))
        rows = []
        for stratum in contender.strata:
            cells = [stratum.name, f"{stratum.pairs:,}"]
            for one in stratum.rates:
                rate = rate_words(one.rate, one.low, one.high) if stratum.pairs else "–"
                cells.append(f"{one.false:,}: {rate}" if one.false else rate)
            rows.append("<tr>" + "".join(f"<td>{_e(cell)}</td>" for cell in cells) + "</tr>")
        opened = " open" if i == 0 else ""
        parts.append(
            f"<details{opened}><summary>{_e(contender.name)}</summary>"
            f"{_table(heads, rows)}</details>"
        )
    return "".join(parts)


def _views(report: RobustnessReport) -> str:
    """Return which view found what, for contenders that have several."""
    parts = []
    for contender in report.contenders:
        names = views_of(contender)
        if not names:
            continue
        point = contender.point(headline(report).name)
        rows = [_view_row(edit.edit, edit.scores, names, point.radius) for edit in contender.edits]
        false = [one for edit in contender.edits for one in edit.false]
        rows.append(_view_row("false finds, all edits", false, names, point.radius))
        parts.append(
            f"<details open><summary>{_e(contender.name)}</summary>"
            f"{_table(('edit', *names), rows)}</details>"
        )
    if not parts:
        return ""
    told = (
        "How many pictures were found through which view of the query, the nearest one, "
        f"at {point_words(headline(report))}."
    )
    return f"<h2>Which view found what</h2><p class='note'>{_e(told)}</p>{''.join(parts)}"


def _view_row(
    name: str, scores: Iterable[tuple[str, int, int]], views: Sequence[str], radius: int
) -> str:
    found = dict.fromkeys(views, 0)
    for view, score, n in scores:
        if score <= radius:
            found[view] += n
    cells = "".join(f"<td>{n:,}</td>" if n else "<td></td>" for n in found.values())
    return f"<tr><td>{_e(name)}</td>{cells}</tr>"


def _groups(report: RobustnessReport) -> str:
    if not report.groups:
        return ""
    rows = "".join(f"<li>{_e(', '.join(group))}</li>" for group in report.groups)
    told = (
        f"{len(report.groups):,} groups of pictures show the same as far as PDQ tells (within 64 "
        f"bits in any position); their {report.n_left_out:,} pairs count neither as true nor as "
        "false. So no unedited pair within 64 bits of plain PDQ can count as false: look at them."
    )
    return (
        f"<h2>Left out: the same picture twice</h2><p class='note'>{_e(told)}</p>"
        f"<details><summary>Names</summary><ul>{rows}</ul></details>"
    )


def _used(report: RobustnessReport) -> str:
    """Return what the report rests on."""
    settings = ", ".join(f"{k} {v}" for k, v in report.settings.items())
    made = ", ".join(f"{k} {v}" for k, v in report.made.items())
    failures = "".join(f"<li>{_e(reason)}</li>" for _, reason in report.failures)
    told = f"<p>{len(report.failures):,} pictures could not be read.</p>"
    listed = f"<details><summary>Which</summary><ul>{failures}</ul></details>" if failures else ""
    return (
        f"<h2>What was used</h2><p>{_e(_what(report))}</p><p class='note'>Settings: {_e(settings)}."
        f"</p>{told}{listed}<p class='note'>Made: {_e(made)}.</p>"
    )


def _picture(title: str, data: bytes) -> str:
    coded = base64.b64encode(data).decode()
    return f"<div class='wide'><img alt='{_e(title)}' src='data:image/png;base64,{coded}'></div>"


def _heat(share: Share, told: str = "") -> str:
    red, green, blue = _colour(share.share)
    ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 130 else "black"
    title = f" title='{_e(told)}'" if told else ""
    return (
        f"<td{title} style='background:rgb({red},{green},{blue});color:{ink}'>"
        f"{share_words(share.share)}</td>"
    )


def _colour(share: float) -> tuple[int, int, int]:
    at = min(max(share, 0.0), 1.0) * (len(SCALE) - 1)
    i = min(int(at), len(SCALE) - 2)
    red, green, blue = (
        round(a + (at - i) * (b - a)) for a, b in zip(SCALE[i], SCALE[i + 1], strict=True)
    )
    return red, green, blue


def _table(heads: Iterable[str], rows: Iterable[str], *, raw: bool = False) -> str:
    head = "".join(f"<th>{one if raw else _e(one)}</th>" for one in heads)
    return f"<div class='wide'><table><tr>{head}</tr>{''.join(rows)}</table></div>"


def _e(text: object) -> str:
    shown = "".join(c if c.isprintable() else "?" for c in str(text))
    return html.escape(shown, quote=True)
