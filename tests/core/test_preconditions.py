import pytest

from owed.core.outcomes import Code
from owed.core.preconditions import IfMatch, stale
from tests.core.samples import Books, create, update


@pytest.mark.parametrize(
    ("if_match", "is_stale"),
    [
        (None, False),
        (frozenset({"2"}), False),
        (frozenset({"1", "2"}), False),
        (frozenset({"*"}), False),
        (frozenset({"1"}), True),
        (frozenset({"02"}), True),
        (frozenset({"1", "3"}), True),
        (frozenset(), True),  # tags that are none of ours
    ],
)
def test_a_change_is_for_the_versions_that_it_names(if_match: IfMatch, *, is_stale: bool) -> None:
    assert bool(stale(if_match, 2)) == is_stale


def test_a_stale_change_changes_nothing() -> None:
    books = Books(create(), update(name="x"))

    assert books.refused(update(if_match=frozenset({"1"}), name="y")).code == Code.PRECONDITION_FAILED
    assert books.done(update(if_match=frozenset({"2"}), name="y")).name == "y"
