"""An evaluation as files: HTML, Markdown, JSON and plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fingerprint.evaluate.drawing import write_privately
from fingerprint.evaluate.plots import plots, require_matplotlib
from fingerprint.evaluate.report_html import html_page
from fingerprint.evaluate.report_markdown import markdown_page

if TYPE_CHECKING:
    from fingerprint.evaluate.report import RobustnessReport

__all__ = ["PLOT_TITLES", "write_report"]

PLOT_TITLES = {
    "recall_by_transform": "What is found, by transform",
    "recall_by_strength": "What is found, by strength",
    "rates": "Recall and misses against false positives",
    "distances": "Distances of copies and of different pictures",
    "strata": "False positives by kind of pair",
}


def write_report(report: RobustnessReport, folder: Path) -> Path:
    """Write all files of a report; return the path of the HTML."""
    require_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots(report)
    for name, data in drawn.items():
        write_privately(folder / f"{name}.png", data)
    pictures = [(PLOT_TITLES[name], f"{name}.png", data) for name, data in drawn.items()]
    write_privately(folder / "report.json", report.to_json().encode())
    write_privately(folder / "report.md", markdown_page(report, pictures).encode())
    page = folder / "report.html"
    write_privately(page, html_page(report, pictures).encode())
    return page
