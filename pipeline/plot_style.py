"""How every plot looks: light, few lines, labels beside what they name, colours that everybody can tell apart.

Figures are made without pyplot, so that nothing is global and threads do not meet.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, FAINT, PAPER = "#1f2933", "#66717d", "#d9dee3", "#ffffff"
RISK_UP, RISK_DOWN, UNDIRECTED = "#d55e00", "#0072b2", "#aab4be"
COLOURS: Mapping[str, str] = {"rule": "#7b8794", "logistic": "#0072b2", "boosting": "#d55e00"}  # Okabe and Ito 2008
OTHER_COLOURS = ("#009e73", "#cc79a7", "#56b4e9")

AXIS_NAME: dict[str, Any] = {"fontsize": 10.5, "color": MUTED, "labelpad": 8}
DIRECTIONS = (
    ("more of it, more risk", RISK_UP),
    ("more of it, less risk", RISK_DOWN),
    ("a category, or it depends on other fields", UNDIRECTED),
)

WIDTH_INCHES, HEIGHT_INCHES, DPI = 9.0, 5.3, 120  # 1080 pixels: wider ones are cut off where Dagster shows them
LEFT, RIGHT, TOP, BOTTOM = 0.095, 0.955, 0.80, 0.125


def colour_of(rung: str, rungs: Sequence[str]) -> str:
    """The colour of a rung, the same in every plot."""
    others = [name for name in rungs if name not in COLOURS]
    return COLOURS[rung] if rung in COLOURS else OTHER_COLOURS[others.index(rung) % len(OTHER_COLOURS)]


def new_figure(title: str, subtitle: str) -> "Figure":
    """An empty figure with a headline that says what is to be seen and a line that says what is drawn."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), facecolor=PAPER)
    figure.text(0.03, 0.945, title, fontsize=15, fontweight="bold", color=INK, va="center")
    figure.text(0.03, 0.885, subtitle, fontsize=10.5, color=MUTED, va="center")
    return figure


def new_axes(
    figure: "Figure", *, left: float = LEFT, right: float = RIGHT, top: float = TOP, bottom: float = BOTTOM
) -> "Axes":
    """Axes with a quiet grid and without a frame; the edges are shares of the figure."""
    axes = figure.add_axes((left, bottom, right - left, top - bottom))
    axes.set_facecolor(PAPER)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=10, labelcolor=MUTED, pad=6)
    return axes


def name_axes(axes: "Axes", *, across: str, up: str) -> None:
    """Say what the axes show: below the one, at the upper end of the other, where it is read first."""
    axes.set_xlabel(across, **AXIS_NAME)
    axes.annotate(
        up, (0, 1), xytext=(-32, 10), xycoords="axes fraction", textcoords="offset points", fontsize=10, color=MUTED
    )


def as_percent(axis: Any) -> None:
    """Write the ticks of an axis as percentages."""
    axis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")


def as_thousands(axis: Any) -> None:
    """Write the ticks of an axis with thousands separated and a real minus."""
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace("-", "\N{MINUS SIGN}"))


def label_ends(axes: "Axes", labels: Sequence[tuple[float, str, str, bool]], *, at: float) -> None:
    """Name lines where they end: (height, text, colour, bold) each, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    wanted = sorted(labels, key=lambda label: label[0])
    heights = spread(np.array([label[0] for label in wanted]), gap=(high - low) * 0.058, low=low, high=high)
    for height, (_, text, colour, bold) in zip(heights, wanted, strict=True):
        axes.annotate(
            text,
            (at, height),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=10.5,
            color=colour,
            fontweight="bold" if bold else "normal",
            annotation_clip=False,
        )


def label_on_the_way(axes: "Axes", across: Any, up: Any, text: str) -> None:
    """Name a line that leaves the axes downwards, shortly before it does."""
    last = int(np.flatnonzero(up >= 0.6 * axes.get_ylim()[0])[-1])
    axes.annotate(
        text,
        (across[last], up[last]),
        xytext=(-8, -9),
        textcoords="offset points",
        ha="right",
        fontsize=10.5,
        color=MUTED,
    )


def spread(heights: Any, *, gap: float, low: float, high: float) -> Any:
    """Rising heights, moved so that neighbours are at least `gap` apart and none leaves the axes if there is room."""
    found = np.clip(np.asarray(heights, dtype=np.float64), low, high)
    for _ in range(100):
        close = np.flatnonzero(np.diff(found) < gap * 0.999)
        if len(close) == 0:
            break
        for i in close:
            push = (gap - (found[i + 1] - found[i])) / 2
            found[i], found[i + 1] = found[i] - push, found[i + 1] + push
        found += max(low - found[0], 0.0) - max(found[-1] - high, 0.0)
    return found


def colour_key(figure: "Figure", entries: Sequence[tuple[str, str]], *, strong: str = "") -> None:
    """Name colours in one line under the headline: (text, colour) each; one text may be strong."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    width = figure.get_size_inches()[0] * figure.dpi
    x, y = 0.03, 0.836
    for text, colour in entries:
        mark = figure.text(x, y, "\N{BLACK CIRCLE}", fontsize=9, color=colour, va="center")
        x += mark.get_window_extent(renderer).width / width + 0.006
        weight = "bold" if text == strong else "normal"
        word = figure.text(x, y, text, fontsize=10.5, color=INK, va="center", fontweight=weight)
        x += word.get_window_extent(renderer).width / width + 0.022


def direction_colour(direction: str) -> str:
    """The colour of a field's bar."""
    return dict(DIRECTIONS).get(direction, UNDIRECTED)


def beside_bar(axes: "Axes", row: int, length: float, text: str) -> None:
    """A few words behind the end of a bar, or in it where there is no room behind."""
    inside = length > 0.72 * axes.get_xlim()[1]
    axes.annotate(
        text,
        (length, row),
        xytext=(-7 if inside else 7, 0),
        textcoords="offset points",
        ha="right" if inside else "left",
        va="center",
        fontsize=9.5,
        color=INK if inside else MUTED,
    )


def at_the_right(axes: "Axes", row: float, text: str, colour: str = INK) -> None:
    """A figure in a column of its own, right of the axes."""
    axes.annotate(
        text,
        (1, row),
        xycoords=("axes fraction", "data"),
        xytext=(100, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=10,
        color=colour,
    )


def note_budget(axes: "Axes", share: float, said: str) -> None:
    """The budget as a vertical line, named at its upper end together with what is reached there."""
    axes.axvline(share, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), alpha=0.6)
    is_late = share > 0.55 * axes.get_xlim()[1]
    place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
    place["ha"] = "right" if is_late else "left"
    away = -7 if is_late else 7
    axes.annotate(f"budget: {100 * share:.3g} %", (share, 1), xytext=(away, -3), fontsize=10, color=MUTED, **place)
    axes.annotate(said, (share, 1), xytext=(away, -19), fontsize=11, fontweight="bold", color=INK, **place)


def calibration_line(is_chosen: bool) -> dict[str, Any]:
    """How the bins of a rung are drawn."""
    if is_chosen:
        return {"linewidth": 2.2, "markersize": 6, "markeredgecolor": PAPER, "markeredgewidth": 0.7}
    return {"linewidth": 1.1, "markersize": 3.5, "alpha": 0.6}


def factor_ticks(axes: "Axes") -> None:
    """Write a horizontal axis of log-odds as factors on the odds, at round factors."""
    longest = axes.get_xlim()[1]
    sets = ((1, 1.02, 1.05, 1.1, 1.15), (1, 1.1, 1.2, 1.3, 1.4), (1, 1.25, 1.5, 2, 2.5, 3), (1, 2, 5, 10, 20, 50, 100))
    factors = next((each for each in sets if np.log(each[-1]) >= longest), sets[-1])
    ticks = [float(np.log(factor)) for factor in factors if np.log(factor) <= longest]
    axes.set_xticks(ticks, [f"\N{MULTIPLICATION SIGN}{np.exp(tick):.3g}" for tick in ticks])


def share_root_scale(axes: Sequence[Any], top: float) -> None:
    """One root scale from 0 to `top`, in percent: most probabilities are small, and a few are not."""
    ticks = [share for share in (0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1) if share <= top]
    for axis in axes:
        of_axes, side = axis.axes, axis.axis_name
        getattr(of_axes, f"set_{side}scale")("function", functions=(_root, _square))
        getattr(of_axes, f"set_{side}lim")(0, top)
        axis.set_ticks(ticks)
        as_percent(axis)


def _root(values: Any) -> Any:
    return np.sqrt(np.clip(values, 0, None))


def _square(values: Any) -> Any:
    return np.square(values)


def png(figure: "Figure") -> bytes:
    """The figure as a file; the same figure always gives the same bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(file, format="png", dpi=DPI, facecolor=PAPER, metadata={"Software": None})
    return file.getvalue()
