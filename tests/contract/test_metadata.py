"""1.7: metadata."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.client import Answer, Client
from tests.contract.samples import EVERY_NOUN, Noun, at


def refused(answer: Answer, *pointers: str) -> None:
    assert (answer.status, answer.code) == (400, "invalid_request"), answer.body
    assert answer.pointers == list(pointers), answer.body


def keys(count: int, start: int = 0) -> dict[str, str]:
    return {f"key_{number}": str(number) for number in range(start, start + count)}


@EVERY_NOUN
@pytest.mark.parametrize(
    "metadata",
    [
        {"a": "1"}, {"a": ""}, {"k" * 40: "v" * 500}, {"😀" * 40: "😀" * 500}, keys(20), {" ": " "}, {"a/b~c": "x"},
        {"a=b&c": "d=e"},
        {"id": "1", "name": "2", "constructor": "3", "__proto__": "4"}, {"A": "1", "a": "2"},
        {"é": "1", "e\u0301": "2"},
        {f"{n:02}" + "😀" * 38: "😀" * 500 for n in range(20)}, {"a": "null"}, {"a\nb": "c\nd"}, {"1": "1"},
    ],
)  # fmt: skip
def test_metadata_may_be(client: Client, noun: Noun, metadata: dict[str, str]) -> None:
    """1.7: at most 20 keys, names of 1 to 40 characters, values strings of at most 500."""
    assert noun.make(client, metadata=metadata)["metadata"] == metadata
    thing = noun.make(client)
    assert client.patch(at(thing), {"metadata": metadata}).json()["metadata"] == metadata
    assert client.get(at(thing)).json()["metadata"] == metadata


@EVERY_NOUN
@pytest.mark.parametrize(
    ("metadata", "pointer"),
    [
        (keys(21), "/metadata"),
        ({"": "a"}, "/metadata/"),
        ({"k" * 41: "a"}, "/metadata/" + "k" * 41),
        ({"😀" * 41: "a"}, "/metadata/" + "😀" * 41),
        ({"a": "v" * 501}, "/metadata/a"),
        ({"a": "😀" * 501}, "/metadata/a"),
        ({"a": 1}, "/metadata/a"),
        ({"a": 1.5}, "/metadata/a"),
        ({"a": True}, "/metadata/a"),
        ({"a": []}, "/metadata/a"),
        ({"a": {"b": "c"}}, "/metadata/a"),
        ({"a/b": 1}, "/metadata/a~1b"),
        ({"a~b": 1}, "/metadata/a~0b"),
        ({"é": 1}, "/metadata/é"),
        ([], "/metadata"),
        ("a", "/metadata"),
        (5, "/metadata"),
        (True, "/metadata"),
    ],
)
def test_metadata_may_not_be(client: Client, noun: Noun, metadata: object, pointer: str) -> None:
    """1.7: anything else is refused, and the pointer (RFC 6901) names the key."""
    thing = noun.make(client)
    refused(noun.create(client, metadata=metadata), pointer)
    refused(client.patch(at(thing), {"metadata": metadata}), pointer)
    refused(client.merge(at(thing), {"metadata": metadata}), pointer)
    assert client.get(at(thing)).json() == thing


@EVERY_NOUN
def test_empty_metadata_is_absent(client: Client, noun: Noun) -> None:
    """1.1: an empty `metadata` is absent from the response."""
    assert "metadata" not in noun.make(client, metadata={})


@EVERY_NOUN
def test_a_patch_merges_metadata(client: Client, noun: Noun) -> None:
    """1.7: PATCH merges it, in either media type."""
    path = at(noun.make(client, metadata={"a": "1", "b": "2"}))
    assert client.patch(path, {"metadata": {"b": "3", "c": "4"}}).json()["metadata"] == {"a": "1", "b": "3", "c": "4"}
    assert client.merge(path, {"metadata": {"a": ""}}).json()["metadata"] == {"a": "", "b": "3", "c": "4"}
    assert client.patch(path, {"metadata": {}}).json()["metadata"] == {"a": "", "b": "3", "c": "4"}


@EVERY_NOUN
def test_the_limit_of_20_holds_after_the_merge(client: Client, noun: Noun) -> None:
    """1.7: the limit of 20 holds after the merge."""
    created = noun.create(client, metadata=keys(20))
    path = at(created.json())
    assert client.patch(path, {"metadata": {"key_0": "changed"}}).status == 200
    etag = client.get(path).etag
    refused(client.patch(path, {"metadata": {"one_more": "x"}}), "/metadata")
    refused(client.merge(path, {"metadata": {"one_more": "x", "never": None}}), "/metadata")
    assert client.get(path).etag == etag
    swapped = client.merge(path, {"metadata": {"key_0": None, "one_more": "x"}})
    assert swapped.json()["metadata"] == keys(19, 1) | {"one_more": "x"}


@EVERY_NOUN
def test_a_patch_may_name_more_than_20_keys_where_20_are_left(client: Client, noun: Noun) -> None:
    """1.7: the limit is on what stands after the merge, not on what the request names."""
    path = at(noun.make(client, metadata=keys(20)))
    change = dict.fromkeys(keys(20)) | keys(20, 100)
    assert client.merge(path, {"metadata": change}).json()["metadata"] == keys(20, 100)


@EVERY_NOUN
def test_concurrent_patches_lose_no_key(client: Client, noun: Noun) -> None:
    """1.7: a merge is a merge with what stands, also when many come at once."""
    path = at(noun.make(client))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: client.patch(path, {"metadata": {f"key_{n}": str(n)}}), range(25)))
    assert sorted(answer.status for answer in answers) == [200] * 20 + [400] * 5
    kept = client.get(path).json()["metadata"]
    assert len(kept) == 20
    assert {f"key_{n}" for n, answer in enumerate(answers) if answer.status == 200} == set(kept)
