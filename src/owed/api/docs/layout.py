"""What every page of the documentation has in common."""

from collections.abc import Iterable

from owed import __version__
from owed.api.docs.html import Html, element, join, void

Link = tuple[str, object]


def page(title: str, navigation: Iterable[Html], *content: object, script: str | None = None) -> bytes:
    """Make a whole page."""
    head = element(
        "head",
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        void("meta", name="color-scheme", content="light dark"),
        element("title", title),
        void("link", rel="icon", href="/docs/assets/owed.svg", type="image/svg+xml"),
        void("link", rel="stylesheet", href="/docs/assets/docs.css"),
        element("script", src=f"/docs/assets/{script}", defer=True) if script else "",
    )
    body = element(
        "body",
        element("a", "Skip to the content", class_="skip", href="#content"),
        element("nav", brand(), *navigation, aria_label="Contents"),
        element("main", *content, id="content"),
    )
    return b"<!doctype html>\n" + element("html", head, body, lang="en").encode()


def brand() -> Html:
    """Make the head of the navigation."""
    mark = void("img", src="/docs/assets/owed.svg", alt="", width="28", height="28")
    return element("a", mark, element("b", "Owed"), element("small", __version__), class_="brand", href="/docs")


def links(heading: str, entries: Iterable[Link]) -> Html:
    """Make a list of links under a heading."""
    items = (element("li", element("a", label, href=href)) for href, label in entries)
    return join(element("h2", heading), element("ul", *items))
