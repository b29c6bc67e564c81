"""The pages of documentation, as a browser gets them."""

import re
from collections.abc import Callable

import pytest

from owed.api.docs.addresses import EXAMPLE, addressed
from owed.api.docs.html import element, join, prose, void
from tests.contract.client import Client
from tests.contract.service import Service

PAGES = ["/docs", "/docs/errors"]
ASSETS = ["docs.css", "docs.js", "owed.svg"]


def test_text_is_escaped_and_html_is_not() -> None:
    page = element("p", "<&>", element("b", "'"), void("input", value='"', class_="x", hidden=True, title=None))

    assert page == '<p>&lt;&amp;&gt;<b>&#x27;</b><input value="&quot;" class="x" hidden></p>'
    assert join(page, page) == page + page


def test_backquotes_mark_code_and_empty_lines_paragraphs() -> None:
    assert prose("a `<b>`\n\nc") == "<p>a <code>&lt;b&gt;</code></p><p>c</p>"


@pytest.mark.parametrize(
    ("base_url", "written"),
    [
        ("https://pay.example/owed", "https://pay.example/owed"),
        ("http://[::1]:8201", "http://[::1]:8201"),
        ("https://pay.example/\"<'&\\", "https://pay.example/%22%3C%27%26%5C"),
    ],
)
def test_an_address_is_put_in_as_it_can_stand_in_html_json_and_a_shell(base_url: str, written: str) -> None:
    assert addressed(f"curl {EXAMPLE}/billing".encode(), base_url) == f"curl {written}/billing".encode()


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


@pytest.mark.parametrize("path", PAGES)
def test_every_link_within_a_page_leads_to_a_place_in_it(anonymous: Client, path: str) -> None:
    page = anonymous.get(path).body.decode()

    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r' id="([^"]+)"', page))


def test_every_operation_has_its_place_on_the_page_under_its_group(anonymous: Client) -> None:
    page = anonymous.get("/docs").body.decode()
    document = anonymous.get("/openapi.json").json()
    operations = [
        operation for kind in ("paths", "webhooks") for path in document[kind].values() for operation in path.values()
    ]
    groups = [re.findall(r'<article id="([^"]+)"', section) for section in page.split("<section>")[1:]]

    assert groups == [
        [operation["operationId"] for operation in operations if operation["tags"] == [tag["name"]]]
        for tag in document["tags"]
    ]


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json"])
def test_the_examples_are_at_the_address_that_was_called(anonymous: Client, path: str) -> None:
    page = anonymous.get(path, Host="pay.example:8443").body.decode()

    assert set(re.findall(r"http://[^/\s\"<]+(?=/billing|/docs)", page)) == {"http://pay.example:8443"}


def test_the_examples_are_at_the_public_address_where_there_is_one(serve: Callable[..., Service]) -> None:
    page = serve(OWED_PUBLIC_URL="https://pay.example/owed").client().get("/docs").body.decode()

    assert set(re.findall(r"curl (?:-X \w+ )?(\S+?)(?=/billing|/health|/ready|/metrics)", page)) == {
        "https://pay.example/owed"
    }


def test_what_is_sent_is_shown_with_its_headers_and_what_an_answer_to_it_means(anonymous: Client) -> None:
    page = anonymous.get("/docs").body.decode()
    (article,) = re.findall(r'<article id="onObligationAmountApplied">(.*?)</article>', page, re.DOTALL)

    assert re.findall(r'<th scope="row"><code>(webhook-[a-z]+)</code>', article) == [
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
    ]
    assert re.findall(r'<span class="status s\w">(\w+)</span>', article) == ["2XX", "410", "429", "503", "default"]
    assert "<form>" not in article


def test_what_is_one_of_a_few_values_is_chosen_and_not_typed(anonymous: Client) -> None:
    page = anonymous.get("/docs").body.decode()
    fields = dict(re.findall(r'<select id="listBills-(\w+)"[^>]*>(.*?)</select>', page))

    assert {name: re.findall(r'value="(\w*)"', options) for name, options in fields.items()} == {
        "status": ["", "unpaid", "paid", "voided"],
        "overdue": ["", "true"],
    }


def test_the_catalogue_has_an_example_of_every_problem(anonymous: Client) -> None:
    page = anonymous.get("/docs/errors").body.decode()
    articles = dict(re.findall(r'<article id="([a-z-]+)">(.*?)</article>', page, re.DOTALL))

    assert {name for name, article in articles.items() if "An example" not in article} == set()
    assert "payment-refused" in articles
