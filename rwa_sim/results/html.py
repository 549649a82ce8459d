"""The frame of a page: one self-contained file, figures drawn by the Plotly inside it, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rwa_sim.rails.sourced import MARKS

STYLE = Path(__file__).with_name("page.css")


def page(title: str, parts: Iterable[str], *, wide: bool = False) -> str:
    """The whole document around its parts; `wide` for tables with many columns."""
    from plotly.offline import get_plotlyjs

    width = ' class="wide"' if wide else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · rwa-sim</title><style>{STYLE.read_text('utf-8')}</style>"
        f"<script>{get_plotlyjs()}</script></head>"
        f"<body><main{width}>{''.join(parts)}</main></body></html>\n"
    )


def section(title: str, body: str) -> str:
    """A section under its heading; `body` is HTML."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def bullets(items: Iterable[str]) -> str:
    """A list of texts."""
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def cards(pairs: Iterable[tuple[str, str]]) -> str:
    """Label and value, side by side."""
    boxes = "".join(
        f'<div class="card"><span>{escape(label)}</span><b>{escape(value)}</b></div>'
        for label, value in pairs
    )
    return f'<div class="cards">{boxes}</div>'


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Iterable[int] = (),
    notes: Iterable[int] = (),
) -> str:
    """A table of texts; `numbers` are the columns set right, `notes` those set small."""
    classes = dict.fromkeys(numbers, ' class="num"') | dict.fromkeys(notes, ' class="note"')
    head = "".join(f"<th{classes.get(n, '')}>{escape(text)}</th>" for n, text in enumerate(heads))
    body = "".join(
        "<tr>"
        + "".join(f"<td{classes.get(n, '')}>{escape(text)}</td>" for n, text in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def figure_section(number: int, title: str, note: str, figure: Any) -> str:
    """A section with a Plotly figure."""
    plot = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"figure-{number}",
        config={"displayModeBar": False, "responsive": True},
    )
    return section(title, f"<p>{escape(note)}</p>{plot}")


def assumption_tables(worlds: Iterable[tuple[str, Iterable[tuple[str, str, str, str]]]]) -> str:
    """Every parameter of every world with its evidence mark and source, under a legend of the marks."""
    legend = ", ".join(f"<b>{mark}</b> {escape(meaning)}" for mark, meaning in MARKS.items())
    tables = []
    for name, parameters in worlds:
        rows = "".join(
            f"<tr><td><code>{escape(key)}</code></td><td>{escape(value)}</td><td><b>{mark}</b></td>"
            f'<td class="note">{escape(source)}</td></tr>'
            for key, value, mark, source in parameters
        )
        tables.append(
            f'<h3>{escape(name)}</h3><div class="scroll"><table><thead><tr><th>parameter</th><th>value</th>'
            f"<th>mark</th><th>source</th></tr></thead><tbody>{rows}</tbody></table></div>"
        )
    return f"<p>Evidence marks: {legend}.</p>{''.join(tables)}"
