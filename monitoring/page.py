"""A page that needs nothing but itself: no script, no other host, no other file. Its parts are strings of HTML.

Every text that is handed in is escaped here, so that a name or a message that looks like HTML is shown, not obeyed.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; color: #1f2933;
  background: #fff; max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.35; margin: .3rem 0 .8rem; text-wrap: pretty; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .3rem; } h2 + p { margin-top: 0; }
p, li { max-width: 46rem; } .quiet, figcaption, .above { color: #5a6672; }
.above { margin: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: .7rem; margin: 1.4rem 0;
  padding: 0; list-style: none; }
.tiles li { border: 1px solid #d9dee3; border-radius: 8px; padding: .7rem .9rem; }
.tiles b { display: block; font-size: 1.45rem; line-height: 1.25; } .tiles span { font-size: .88rem; color: #5a6672; }
figure { margin: 1rem 0; } img { display: block; width: 100%; height: auto; } figcaption { font-size: .9rem; }
table { border-collapse: collapse; width: 100%; margin: .8rem 0; font-size: .92rem; }
th { text-align: left; color: #5a6672; font-weight: 600; border-bottom: 2px solid #d9dee3; }
th, td { padding: .4rem .7rem .4rem 0; vertical-align: top; }
td { border-bottom: 1px solid #e8ebee; overflow-wrap: anywhere; } td p { margin: 0 0 .3rem; }
.cards td:nth-child(2) { width: 19%; } .cards td:nth-child(3) { width: 31%; } .cards td:nth-child(4) { width: 14%; }
.cards td:nth-child(5) { width: 20%; }
td:first-child, td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.chip { display: inline-block; border-radius: 4px; padding: 0 .4rem; font-size: .88rem; border: 1px solid; }
.good { color: #00567f; background: #e8f3f9; } .bad { color: #a04300; background: #fdf0e6; }
.plain { color: #4a5560; background: #f1f3f5; }
.letter { display: inline-block; min-width: 1.45em; line-height: 1.45em; border-radius: 1em; background: #1f2933;
  color: #fff; font-size: .8rem; font-weight: 700; text-align: center; }
ol.plain-list { padding-left: 1.2rem; } ul.events { list-style: none; padding: 0; } ul.events li { margin: .45rem 0; }
@media (max-width: 640px) {
  body { font-size: 15px; padding-top: 1rem; } h1 { font-size: 1.2rem; }
  .tiles { grid-template-columns: 1fr 1fr; } .tiles b { font-size: 1.2rem; }
  table.cards thead { display: none; }
  table.cards tr { display: block; border-bottom: 2px solid #d9dee3; padding: .5rem 0; }
  table.cards td:nth-child(n) { display: block; width: auto; border: 0; padding: .15rem 0; }
  table.cards td:first-child { font-weight: 700; }
  table.cards td[data-of]::before { content: attr(data-of) ": "; color: #5a6672; }
  table.cards td p { display: inline; } table.cards td p + p { display: block; margin-top: .25rem; }
  table.cards td:empty { display: none; }
  th, td { padding-right: .4rem; } table.narrow { font-size: .8rem; }
}
@media print {
  body { font-size: 10.5pt; max-width: none; padding: 0; } h1 { font-size: 14pt; } h2 { break-after: avoid; }
  img { width: auto; max-width: 100%; max-height: 13cm; }
  figure, tr, .tiles, li { break-inside: avoid; } thead { display: table-header-group; }
  .chip, .letter { print-color-adjust: exact; }
}
"""


@dataclass(frozen=True)
class Picture:
    """A PNG for wide screens and paper, one for phones, and in words what is to be seen."""

    wide: bytes
    narrow: bytes
    says: str


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page of parts that are HTML already."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{"".join(f"{part}{chr(10)}" for part in parts if part)}</body>
</html>
"""


def text(tag: str, says: str, kind: str = "") -> str:
    """A text in a tag, of a kind that the style knows."""
    return f"<{tag}{_of_kind(kind)}>{escape(says)}</{tag}>"


def chip(says: str, kind: str) -> str:
    """A verdict of a few words: `good`, `bad` or `plain`."""
    return text("span", says, f"chip {kind}")


def tiles(figures: Mapping[str, str]) -> str:
    """Figures by what they are, in boxes."""
    boxes = "".join(f"<li>{text('b', value)}{text('span', name)}</li>" for name, value in figures.items())
    return f'<ul class="tiles">{boxes}</ul>'


def figure(shown: Picture) -> str:
    """A picture in the width that fits, with its words below."""
    narrow, wide = (f"data:image/png;base64,{b64encode(png).decode()}" for png in (shown.narrow, shown.wide))
    source = f'<source media="(max-width: 640px)" srcset="{narrow}">'
    picture = f'<picture>{source}<img src="{wide}" alt="{escape(shown.says)}"></picture>'
    return f"<figure>{picture}{text('figcaption', shown.says)}</figure>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", *, numbers: int = 0) -> str:
    """Rows of cells that are HTML already; the last `numbers` columns are figures.

    A table of kind `cards` is one card for each row on a phone, where each cell says the name of its column.
    """
    kinds = ["number" if i >= len(columns) - numbers else "" for i in range(len(columns))]
    head = "".join(text("th", name, kind) for name, kind in zip(columns, kinds, strict=True))
    body = "".join(f"<tr>{''.join(_cells(columns, kinds, row))}</tr>" for row in rows)
    return f"<table{_of_kind(kind)}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(columns: Sequence[str], kinds: Sequence[str], row: Sequence[str]) -> Iterable[str]:
    for i, (name, kind, cell) in enumerate(zip(columns, kinds, row, strict=True)):
        of = f' data-of="{escape(name)}"' if i else ""
        yield f"<td{_of_kind(kind)}{of}>{cell}</td>"


def _of_kind(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
