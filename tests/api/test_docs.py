"""The pages of documentation, as a browser gets them."""

import re

import pytest

from owed.api.docs.html import element, join, prose, void
from tests.contract.client import Client

PAGES = ["/docs", "/docs/errors"]
ASSETS = ["docs.css", "docs.js", "owed.svg"]


def test_text_is_escaped_and_html_is_not() -> None:
    page = element("p", "<&>", element("b", "'"), void("input", value='"', class_="x", hidden=True, title=None))

    assert page == '<p>&lt;&amp;&gt;<b>&#x27;</b><input value="&quot;" class="x" hidden></p>'
    assert join(page, page) == page + page


def test_backquotes_mark_code_and_empty_lines_paragraphs() -> None:
    assert prose("a `<b>`\n\nc") == "<p>a <code>&lt;b&gt;</code></p><p>c</p>"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_nothing_that_is_written_into_it(anonymous: Client, path: str) -> None:
    answer = anonymous.get(path)
    policy = answer.header("Content-Security-Policy")

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(rb"<style|<script(?![^>]* src=)| style=| on\w+=", answer.body)


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json", *(f"/docs/assets/{name}" for name in ASSETS)])
def test_a_page_that_the_browser_has_is_not_sent_again(anonymous: Client, path: str) -> None:
    first = anonymous.get(path)
    again = anonymous.get(path, If_None_Match=first.etag)

    assert (first.status, again.status, again.body, again.etag) == (200, 304, b"", first.etag)


@pytest.mark.parametrize("name", ["nothing.js", "__init__.py", "..", "%2e%2e%2fassets.py", "docs.css%00"])
def test_only_known_assets_are_served(anonymous: Client, name: str) -> None:
    answer = anonymous.get(f"/docs/assets/{name}")

    assert answer.status in {400, 401, 404}
    assert b"import" not in answer.body


@pytest.mark.parametrize("path", PAGES)
def test_every_field_has_a_label_and_every_id_is_its_own(anonymous: Client, path: str) -> None:
    page = anonymous.get(path).body.decode()
    ids = re.findall(r'<[^>]* id="([^"]+)"', page)
    fields = re.findall(r'<(?:input|select|textarea)[^>]* id="([^"]+)"', page)

    assert len(ids) == len(set(ids))
    assert set(fields) == set(re.findall(r'<label for="([^"]+)"', page))
