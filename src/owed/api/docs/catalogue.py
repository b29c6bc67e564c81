"""The catalogue of problems as a page: where the `type` of every problem leads."""

from functools import cache

from owed.api.docs.examples import example
from owed.api.docs.html import Html, element, marked, prose
from owed.api.docs.layout import links, page
from owed.api.docs.samples import as_text
from owed.api.problems import CATALOGUE, Entry, anchor
from owed.core.outcomes import Code

INTRODUCTION = """\
A request that is refused changes nothing; where nobody can tell, the `detail` of a 503 says that the outcome is \
unknown. The answer is problem details (RFC 9457), as `application/problem+json`.

A program switches on `code`; `detail` tells a person what was wrong with this request and what would be right. \
`errors`, where it is there, names every fault by its place: a JSON Pointer into the body, or `header: …`, or \
`query: …`. Name the `request_id` when you ask for help: the log has it.
"""


@cache
def catalogue() -> bytes:
    """Make the page."""
    entries = [(f"#{anchor(code)}", marked(f"`{code}`")) for code in CATALOGUE]
    navigation = [links("Documentation", [("/docs", "The API")]), links("Errors", entries)]
    return page(
        "Errors · Owed",
        navigation,
        element("h1", "Errors"),
        prose(INTRODUCTION),
        *(article(code, entry) for code, entry in CATALOGUE.items()),
    )


def article(code: Code, entry: Entry) -> Html:
    """Tell of one problem: its status, what it means, what to do."""
    status = int(entry.status)
    return element(
        "article",
        element("h2", entry.title),
        element("p", element("span", status, class_=f"status s{status // 100}"), " ", element("code", code)),
        prose(entry.meaning),
        shown(code),
        id=anchor(code),
    )


def shown(code: Code) -> Html:
    """Show an example of a problem."""
    return element("details", element("summary", "An example"), element("pre", as_text(example(code)), tabindex="0"))
