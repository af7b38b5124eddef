"""Contact sheets: rows of small pictures with a line under each."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from fingerprint.typing import U8

__all__ = ["Row", "Tile", "thumbnail", "write_html", "write_png"]

TILE_PX = 132
_GAP = 10
_LABEL_PX = 200
_LINE_PX = 17
_COLOURS = {"good": "#1a7f37", "bad": "#b3261e", "plain": "#8a8f98"}


@dataclass(frozen=True, slots=True)
class Tile:
    """One small picture: what it shows, a line or two under it, and how it went."""

    picture: Image.Image
    lines: tuple[str, ...]
    mood: str = "plain"


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled row of tiles."""

    label: str
    tiles: tuple[Tile, ...]


def thumbnail(pixels: U8) -> Image.Image:
    """Return a picture that fits a tile."""
    picture = Image.fromarray(pixels).convert("RGB")
    picture.thumbnail((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
    return picture


def write_png(path: Path, title: str, rows: Sequence[Row]) -> None:
    """Draw the sheet as one PNG."""
    title_font, font = ImageFont.load_default(20), ImageFont.load_default(12)
    n_lines = max((len(t.lines) for r in rows for t in r.tiles), default=0)
    row_px = TILE_PX + n_lines * _LINE_PX + 2 * _GAP
    columns = max((len(r.tiles) for r in rows), default=0)
    width = _LABEL_PX + columns * (TILE_PX + _GAP) + _GAP
    sheet = Image.new("RGB", (max(width, 480), 48 + len(rows) * row_px), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 12), title, "black", title_font)
    for i, row in enumerate(rows):
        top = 48 + i * row_px
        draw.text((_GAP, top + TILE_PX // 2), _shortened(row.label, 28), "black", font)
        for j, tile in enumerate(row.tiles):
            left = _LABEL_PX + j * (TILE_PX + _GAP)
            colour = _COLOURS[tile.mood]
            x = left + (TILE_PX - tile.picture.width) // 2
            y = top + (TILE_PX - tile.picture.height) // 2
            sheet.paste(tile.picture, (x, y))
            box = (x - 2, y - 2, x + tile.picture.width + 1, y + tile.picture.height + 1)
            draw.rectangle(box, outline=colour, width=2)
            for k, line in enumerate(tile.lines):
                where = (left + TILE_PX // 2, top + TILE_PX + 6 + k * _LINE_PX)
                shade = colour if k else "black"
                draw.text(where, _shortened(line, 22), shade, font, anchor="ma")
    _make_private(path)
    sheet.save(path)


def write_html(path: Path, title: str, note: str, rows: Sequence[Row]) -> None:
    """Write the sheet as one HTML file that needs nothing else."""
    body = []
    for row in rows:
        tiles = "".join(_tile_html(tile) for tile in row.tiles)
        body.append(f"<section><h2>{html.escape(row.label)}</h2><div>{tiles}</div></section>")
    style = (
        "body{font:15px/1.4 system-ui,sans-serif;margin:2rem;color:#1c1e21}"
        "h1{font-size:1.4rem}h2{font-size:1rem;margin:1.2rem 0 .4rem;overflow-wrap:anywhere}"
        "section>div{display:flex;flex-wrap:wrap;gap:12px}"
        "figure{margin:0;width:140px}img{border:3px solid;max-width:132px;display:block;"
        "margin:auto}figcaption{font-size:12px;text-align:center;overflow-wrap:anywhere}"
        + "".join(f".{m} img{{border-color:{c}}}.{m} b{{color:{c}}}" for m, c in _COLOURS.items())
    )
    _make_private(path)
    path.write_text(
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{html.escape(title)}</title><style>{style}</style>"
        f"<h1>{html.escape(title)}</h1><p>{html.escape(note)}</p>{''.join(body)}</html>",
        encoding="utf-8",
    )


def _make_private(path: Path) -> None:
    """Let the owner alone read what holds small copies of pictures."""
    path.touch(mode=0o600)
    path.chmod(0o600)


def _tile_html(tile: Tile) -> str:
    buffer = io.BytesIO()
    tile.picture.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    first, *others = (html.escape(line) for line in tile.lines or ("",))
    lines = "<br>".join([first, *(f"<b>{line}</b>" for line in others)])
    return (
        f"<figure class='{tile.mood}'><img alt='{first}' src='data:image/jpeg;base64,{data}'>"
        f"<figcaption>{lines}</figcaption></figure>"
    )


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"…{text[-(most - 1) :]}"
