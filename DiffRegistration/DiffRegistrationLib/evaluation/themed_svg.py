"""matplotlib's figures as SVG inside a page: text stays text, and colours are the page's own, light or dark.

matplotlib knows no CSS variables. So charts are drawn in the stand-in colours below, and each of these becomes the
variable of its name in the finished SVG.
"""

from __future__ import annotations

import io
import re
from typing import Any

from markupsafe import Markup, escape

WIDTH = 860
_VARIABLES = ("ink", "soft", "line", "card", "accepted-mark", "doubtful-mark", "failed-mark", "unjudged-mark", "heat")
METHODS = 5
"""How many methods have a colour of their own."""
_STAND_INS = {
    name: f"#01{number:02x}fe"
    for number, name in enumerate((*_VARIABLES, *(f"method-{number}" for number in range(METHODS))))
}


def colour(name: str) -> str:
    """The stand-in for a variable of the page, such as "ink", "accepted-mark" or "method-0"."""
    return _STAND_INS[name]


def figure(height: float) -> Any:
    """An empty matplotlib figure, WIDTH wide and `height` high in the page's pixels."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")


def style() -> dict[str, Any]:
    """matplotlib's settings for a chart of the page; the figure has to be made and saved within them."""
    ink, soft, line = colour("ink"), colour("soft"), colour("line")
    return {
        "svg.fonttype": "none",
        # The layout is measured in a font that every matplotlib has, and that is wider than what pages are set in.
        "font.family": "DejaVu Sans",
        "font.size": 12,
        "text.color": ink,
        "axes.edgecolor": soft,
        "axes.labelcolor": ink,
        "axes.titlecolor": ink,
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": line,
        "xtick.color": soft,
        "ytick.color": soft,
        "legend.frameon": False,
        "figure.facecolor": "none",
        "figure.constrained_layout.h_pad": 6 / 72,
        "figure.constrained_layout.w_pad": 6 / 72,
    }


def as_svg(drawn: Any, name: str, words: str) -> Markup:
    """A finished figure as an `svg` element that has no addresses, metadata or names that clash with other charts.

    `name` is unique on the page, `words` say what is to be seen. Links inside say where they lead when pointed at.
    """
    import matplotlib

    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        drawn.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    viewed = re.search(r'viewBox="([^"]*)"', text)
    assert viewed is not None
    text = re.sub(
        r"<svg[^>]*>",
        f'<svg class="chart" viewBox="{viewed[1]}" role="img" aria-label="{escape(words)}">',
        text,
        count=1,
    )
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    text = text.replace("xlink:href=", "href=").replace("'DejaVu Sans'", "system-ui, sans-serif")
    # Thousands of stops for the keyboard would bar the way to what follows; the table of cases has them all.
    text = re.sub(
        r'<a href="#([^"]*)"[^>]*>',
        lambda link: f'<a href="#{link[1]}" tabindex="-1"><title>{link[1].replace("-", " ")}</title>',
        text,
    )
    for variable, stand_in in _STAND_INS.items():
        text = text.replace(stand_in, f"var(--{variable})")
    return Markup(text.strip())
