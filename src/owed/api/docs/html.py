"""HTML, made of functions: whatever is not `Html` already is escaped."""

from html import escape

Attribute = str | bool | None


class Html(str):
    """Text that is HTML."""

    __slots__ = ()


def html(text: object) -> Html:
    """Give anything as HTML, escaped unless it is HTML already."""
    return text if isinstance(text, Html) else Html(escape(str(text)))


def join(*parts: object) -> Html:
    """Put parts one after the other."""
    return Html("".join(map(html, parts)))


def element(tag: str, *children: object, **attributes: Attribute) -> Html:
    """Make an element. An attribute is named with `_` for `-`, and a last `_` where Python has the word."""
    return Html(f"<{tag}{written(attributes)}>{join(*children)}</{tag}>")


def void(tag: str, **attributes: Attribute) -> Html:
    """Make an element that can have no children."""
    return Html(f"<{tag}{written(attributes)}>")


def written(attributes: dict[str, Attribute]) -> str:
    """Write attributes; True stands for one without a value, False and None for none at all."""
    given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    return "".join(
        f" {name}" if value is True else f' {name}="{escape(str(value))}"'
        for name, value in given.items()
        if value is not None and value is not False
    )


def prose(text: str) -> Html:
    """Give text in which backquotes mark code, and empty lines part paragraphs."""
    return join(*(element("p", marked(paragraph)) for paragraph in text.strip().split("\n\n")))


def marked(text: str) -> Html:
    """Give text in which backquotes mark code."""
    return join(*(element("code", part) if odd % 2 else part for odd, part in enumerate(text.split("`"))))
