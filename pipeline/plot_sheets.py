"""Pictures of several axes measured in inches, wide for a desk and narrow for a phone, in the style of `plot_style.py`.

Letters stay as large on a narrow picture as on a wide one, so both are drawn, and a page shows the one that fits.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import plot_style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KEY_ROW_INCHES, MARK_INCHES, BETWEEN_INCHES = 0.24, 0.24, 0.2
POINTS_AN_INCH = 72
COLOURS = 256  # the most of a palette: enough for flat areas and the edges of letters, at a third of the bytes
Mark = Mapping[str, Any]
"""How a mark is drawn, as `Axes.plot` takes it; a line where it has no marker, a band where it has no width either."""


@dataclass(frozen=True)
class Sheet:
    """How wide a picture is, in inches, and where axes that fill it begin and end."""

    width: float
    left: float
    right: float

    @property
    def is_narrow(self) -> bool:
        """Whether it is for a phone."""
        return self.width < 6


WIDE, NARROW = Sheet(9.0, 1.02, 7.12), Sheet(4.5, 1.02, 4.36)


def new_sheet(sheet: Sheet, height: float) -> "Figure":
    """An empty picture, `height` in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(sheet.width, height), facecolor=style.PAPER)


def axes_at(figure: "Figure", *, left: float, right: float, top: float, tall: float) -> "Axes":
    """Axes at a place in inches, from the left edge and from the upper one."""
    width, height = figure.get_size_inches()
    edges = {"top": 1 - top / height, "bottom": 1 - (top + tall) / height}
    axes = style.new_axes(figure, left=left / width, right=right / width, **edges)
    axes.tick_params(labelsize=9.5, pad=4)
    return axes


def title(axes: "Axes", text: str, *, inches_left: float = 0.0) -> None:
    """What the axes show, above their left end or so far to the left of it."""
    axes.annotate(
        text,
        (0, 1),
        xytext=(-POINTS_AN_INCH * inches_left, 6),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=10,
        fontweight="bold",
        color=style.INK,
    )


def say_empty(axes: "Axes", text: str) -> None:
    """Why there is nothing to be seen."""
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=9.5, color=style.MUTED)


def name_months(axes: "Axes", keys: Sequence[str], *, at_most: int) -> None:
    """Write some of the months below axes on which month i is drawn at i + 1."""
    step = -(-len(keys) // at_most)
    places = range(0, len(keys), step)
    axes.set_xticks([place + 1 for place in places], [keys[place] for place in places])


def key_rows(entries: Sequence[tuple[Mark, str]], sheet: Sheet) -> list[list[tuple[float, Mark, str]]]:
    """The entries of a key in as many rows as they need, each with its distance from the left edge in inches."""
    rows: list[list[tuple[float, Mark, str]]] = [[]]
    x = first = 0.14
    for mark, text in entries:
        wide = MARK_INCHES + _inches(text) + BETWEEN_INCHES
        if x + wide > sheet.width and rows[-1]:
            rows.append([])
            x = first
        rows[-1].append((x, mark, text))
        x += wide
    return rows


def draw_key(figure: "Figure", rows: Sequence[Sequence[tuple[float, Mark, str]]]) -> None:
    """Say at the upper end of a picture what its marks mean."""
    from matplotlib.lines import Line2D

    width, height = figure.get_size_inches()
    for i, row in enumerate(rows):
        y = 1 - (0.17 + i * KEY_ROW_INCHES) / height
        for x, mark, text in row:
            across = [(x + 0.08) / width] if "marker" in mark else [x / width, (x + 0.17) / width]
            figure.add_artist(Line2D(across, [y] * len(across), solid_capstyle="butt", **mark))
            figure.text((x + MARK_INCHES) / width, y, text, fontsize=9.5, color=style.INK, va="center_baseline")


def png(figure: "Figure") -> bytes:
    """The picture as a small file; the same picture always gives the same bytes."""
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(style.png(figure))) as drawn:
        few = drawn.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(file, "png", optimize=True)
    return file.getvalue()


def _inches(text: str) -> float:
    """How wide a text of a key is."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=9.5).get_extents().width) / POINTS_AN_INCH
