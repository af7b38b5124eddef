"""Pictures of which seconds of a video are which seconds of another, as PNG and HTML."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fingerprint.evaluate.drawing import (
    Anchor,
    Canvas,
    PixelCanvas,
    SvgCanvas,
    shortened,
    text_px,
    write_privately,
)
from fingerprint.evaluate.timeline import (
    AXIS_PX,
    GREY,
    INK,
    LEFT_PX,
    PALE,
    WIDTH_PX,
    Strip,
    Timeline,
    colour_of,
    draw_number,
)
from fingerprint.evaluate.wording import LAID, seconds_text, sentence, summary

if TYPE_CHECKING:
    from fingerprint.results import VideoMatch, VideoSegment

__all__ = ["write_html", "write_png"]

_HEAD_PX, _FOOT_PX, _ROW_PX = 92, 16, 28
_TITLE_PX, _NOTE_PX, _CELL_PX = 20, 14, 13
_ROWS = 14
_COLUMNS: tuple[tuple[str, int, Anchor], ...] = (
    ("", 36, "left"),
    ("in the query", 250, "left"),
    ("in the reference", 250, "left"),
    ("speed", 70, "right"),
    ("score", 80, "right"),
    ("evidence", 90, "right"),
    ("frames", 90, "right"),
    ("mean distance", 140, "right"),
    ("query laid", 300, "left"),
)
"""Headings, how wide the columns of a picture are, and where texts stand in them."""

_COLUMN_GAP_PX = 28

_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem;color:#1c1e21;max-width:1400px}"
    "h1{font-size:1.35rem;overflow-wrap:anywhere;margin:0 0 .4rem}p{margin:.2rem 0}"
    "div{overflow-x:auto}svg{width:100%;min-width:900px;height:auto;margin:1rem 0}"
    "table{border-collapse:collapse}"
    "td,th{padding:.3rem .9rem;text-align:right;border-bottom:1px solid #d9dde3;"
    "font-variant-numeric:tabular-nums}th{font-weight:600}"
    "td:nth-child(-n+3),th:nth-child(-n+3),td:last-child,th:last-child{text-align:left}"
    "b{display:inline-block;min-width:1.6em;border-radius:.8em;color:#fff;text-align:center}"
)


def write_png(path: Path, query: Strip, reference: Strip, match: VideoMatch) -> None:
    """Draw two videos, one above the other, and join what matches; 1,400 pixels wide.

    The query is above. Its owner alone can read the file.
    """
    timeline = Timeline(query, reference, match)
    shown = match.segments[:_ROWS]
    n_rows = len(shown) + bool(shown) + (len(shown) < len(match.segments))
    height_px = _HEAD_PX + timeline.height_px + n_rows * _ROW_PX + _FOOT_PX
    canvas = PixelCanvas(WIDTH_PX, height_px)
    canvas.text(LEFT_PX, 26, _title(query, reference, match), _TITLE_PX, INK)
    notes = [one for one in (summary(match), _legend(timeline, match)) if one]
    for line, note in enumerate(notes):
        canvas.text(LEFT_PX, 53 + 21 * line, note, _NOTE_PX, GREY)
    timeline.draw(canvas, _HEAD_PX)
    if shown:
        _draw_table(canvas, _HEAD_PX + timeline.height_px + 6, shown, len(match.segments))
    file = io.BytesIO()
    canvas.image.save(file, "PNG", optimize=True)
    write_privately(path, file.getvalue())


def write_html(
    path: Path, query: Strip, reference: Strip, match: VideoMatch, note: str = ""
) -> None:
    """Write the same as HTML that needs nothing else, with all segments in its table."""
    timeline = Timeline(query, reference, match)
    canvas = SvgCanvas(WIDTH_PX, timeline.height_px)
    timeline.draw(canvas, 0)
    title = _headline(query.name, reference.name, match)
    notes = (summary(match), _legend(timeline, match), note)
    body = (
        f"<h1>{html.escape(title)}</h1>"
        + "".join(f"<p>{html.escape(one)}</p>" for one in notes if one)
        + f"<div>{canvas.svg}</div>"
        + _html_table(match.segments)
    )
    page = (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta http-equiv='Content-Security-Policy' "
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>{body}</html>"
    )
    write_privately(path, page.encode(errors="backslashreplace"))


def _headline(query: str, reference: str, match: VideoMatch) -> str:
    if not match.segments:
        return f"{query} and {reference}: nothing in common"
    more = len(match.segments) - 1
    longest = max(match.segments, key=lambda s: s.query_end_s - s.query_start_s)
    return sentence(longest, query, reference) + (f"; and {more} more" if more else "")


def _title(query: Strip, reference: Strip, match: VideoMatch) -> str:
    """Return the headline with names as long as there is room for."""
    title = ""
    for most_px in (900, 600, 450, 350, 280, 220, 170, 130):
        left, right = (shortened(one.name, _TITLE_PX, most_px) for one in (query, reference))
        title = _headline(left, right, match)
        if text_px(title, _TITLE_PX) <= AXIS_PX:
            return title
    return shortened(title, _TITLE_PX, AXIS_PX)


def _legend(timeline: Timeline, match: VideoMatch) -> str:
    scale = "Both are drawn to one scale." if timeline.one_scale else "Each has its own scale."
    return f"What is pale was not found in the other video. {scale}" if match.segments else scale


def _cells(segment: VideoSegment) -> tuple[str, ...]:
    return (
        seconds_text(segment.query_start_s, segment.query_end_s),
        seconds_text(segment.reference_start_s, segment.reference_end_s),
        f"{segment.speed:.2f}×",
        f"{segment.score:.2f}",
        f"{segment.evidence:.0f} bits",
        str(segment.frames),
        f"{segment.mean_distance:.1f} bits",
        LAID.get(segment.transform, segment.transform),
    )


def _draw_table(canvas: Canvas, top: float, segments: Sequence[VideoSegment], n: int) -> None:
    heads = tuple(head for head, _, _ in _COLUMNS)
    for row, cells in enumerate([heads, *(("", *_cells(s)) for s in segments)]):
        y = top + (row + 0.5) * _ROW_PX
        if row:
            canvas.box(LEFT_PX, y - _ROW_PX / 2, AXIS_PX, 1, PALE)
            draw_number(canvas, LEFT_PX + 14, y, row - 1)
        colour = INK if row else GREY
        left = float(LEFT_PX)
        for cell, (_, wide_px, anchor) in zip(cells, _COLUMNS, strict=True):
            x = left if anchor == "left" else left + wide_px - _COLUMN_GAP_PX
            canvas.text(x, y, cell, _CELL_PX, colour, anchor)
            left += wide_px
    if len(segments) < n:
        y = top + (len(segments) + 1.5) * _ROW_PX
        canvas.text(LEFT_PX, y, f"… and {n - len(segments)} more", _CELL_PX, GREY)


def _html_table(segments: Sequence[VideoSegment]) -> str:
    if not segments:
        return ""
    heads = "".join(f"<th>{html.escape(head)}</th>" for head, _, _ in _COLUMNS)
    rows = "".join(
        f"<tr><td><b style='background:{colour_of(i)}'>{i + 1}</b></td>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(segment))
        + "</tr>"
        for i, segment in enumerate(segments)
    )
    return f"<div><table><tr>{heads}</tr>{rows}</table></div>"
