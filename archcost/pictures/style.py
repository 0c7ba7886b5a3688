"""How all pictures look: colours and patterns that are told apart in print and by colour-blind readers.

The colours are those of Okabe and Ito (Color Universal Design, jfly.uni-koeln.de/color, 2008), in which eight hues
differ for every kind of colour vision; where two of them lie side by side, a pattern or a marker differs as well, since
in print they may be the same grey.

In SVG text stays text, so that it can be found, read aloud and compared line by line; what a viewer without DejaVu Sans
puts in its place is narrower. In PDF the fonts are embedded.
"""

# matplotlib does not say what its keywords are.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

import html
import io
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import matplotlib
import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from archcost.pictures.picture import Picture

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#767676", "#D9D9D9"

DPI = 160

SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "archcost",
    "pdf.fonttype": 42,
}


def styled() -> AbstractContextManager[None]:
    """Inside, matplotlib's own defaults and ours, whatever the user's are."""
    return matplotlib.style.context(["default", SETTINGS])


def canvas(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("constrained", w_pad=0.09, h_pad=0.05)  # another font may be a little wider
    FigureCanvasAgg(figure)
    return figure


def laid_out(figure: Figure) -> Figure:
    """The figure with its axes where they stay: laid out anew each time, a second file would differ from the first."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def told(text: str) -> str:
    """A name as it is, where matplotlib would read `$` as the begin of a formula, and tell no line from the next."""
    return "".join(each if each.isprintable() else " " for each in text).replace("$", r"\$")


def shortened(text: str, most: int) -> str:
    """The end of a long name tells layers apart; the middle goes."""
    if len(text) <= most:
        return text
    ahead = (most - 1) // 3
    return f"{text[:ahead]}…{text[len(text) - (most - 1 - ahead) :]}"


def prefixed(amount: float) -> str:
    """`2.5 M`: for the ticks of an axis."""
    for prefix, worth in ((" P", 1e15), (" T", 1e12), (" G", 1e9), (" M", 1e6), (" k", 1e3)):
        if abs(amount) >= worth:
            return f"{amount / worth:.4g}{prefix}"
    return f"{amount:.4g}"


def encoded(figure: Figure, ending: str, picture: Picture) -> bytes:
    """The same bytes each time: no date, no random names."""
    stream = io.BytesIO()
    with styled():
        if ending == "svg":
            about = {"Date": None, "Creator": "archcost"}
            figure.savefig(stream, format="svg", metadata=about)
            return _for_readers(stream.getvalue().decode(), picture).encode()
        if ending == "pdf":
            about = {"Creator": picture.mark, "CreationDate": None, "Title": picture.title, "Subject": picture.title}
            figure.savefig(stream, format="pdf", metadata=about)
            return stream.getvalue()
        about = {"Software": picture.mark, "Title": picture.title, "Description": picture.description}
        figure.savefig(stream, format="png", dpi=DPI, metadata=about)
    return stream.getvalue()


def _for_readers(svg: str, picture: Picture) -> str:
    """Title and description where screen readers look for them, and the mark by which the file is known."""
    ahead, opening, rest = svg.partition("<svg ")
    attributes, end, inner = rest.partition(">")
    name = picture.mark.partition(": ")[2].replace(" ", "-")
    labelled = f'role="img" aria-labelledby="{name}-title {name}-desc" '
    words = (
        f'\n <title id="{name}-title">{_escaped(picture.title)}</title>'
        f'\n <desc id="{name}-desc">{_escaped(picture.description)}</desc>'
    )
    return f"{ahead}<!-- {picture.mark} -->\n{opening}{labelled}{attributes}{end}{words}{inner}"


def _escaped(text: str) -> str:
    return html.escape("".join(each if each.isprintable() else " " for each in text), quote=False)
