from random import Random

from hypothesis import given
from hypothesis import strategies as st

from owed.model.identifiers import CUSTOMER, DIGITS, LENGTH, IdSource, base62, id_at, pattern, uuid7

milliseconds = st.integers(0, 2**48 - 1)
random_bits = st.integers(0, 2**74 - 1)


def number_of(identifier: str, prefix: str = CUSTOMER) -> int:
    number = 0
    for digit in identifier.removeprefix(prefix):
        number = number * 62 + DIGITS.index(digit)
    return number


@given(st.integers(0, 2**128 - 1))
def test_base62_writes_every_number_in_22_digits_that_read_back(number: int) -> None:
    assert (len(base62(number)), number_of(base62(number), "")) == (LENGTH, number)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_ids_sort_as_their_numbers_do(one: int, other: int) -> None:
    assert (base62(one) < base62(other)) == (one < other)


@given(milliseconds, random_bits)
def test_an_id_is_a_uuid_of_version_7_of_its_time(moment: int, random: int) -> None:
    number = uuid7(moment, random)

    assert (number >> 80, number >> 76 & 0xF, number >> 62 & 0b11) == (moment, 7, 0b10)
    assert (number >> 64 & 0xFFF) << 62 | number & (2**62 - 1) == random


@given(st.integers(), st.lists(milliseconds, min_size=1))
def test_ids_of_one_source_strictly_increase_whatever_the_clock_does(seed: int, clock: list[int]) -> None:
    source = IdSource(Random(seed))
    ids = [source.new(CUSTOMER, moment) for moment in clock for _ in range(3)]

    assert ids == sorted(set(ids))


@given(st.integers(), st.lists(milliseconds, min_size=1))
def test_ids_follow_from_the_seed_and_the_times(seed: int, clock: list[int]) -> None:
    one, other = IdSource(Random(seed)), IdSource(Random(seed))

    assert [one.new(CUSTOMER, moment) for moment in clock] == [other.new(CUSTOMER, moment) for moment in clock]


@given(st.integers(), milliseconds)
def test_an_id_lies_between_the_bounds_of_its_millisecond(seed: int, moment: int) -> None:
    identifier = IdSource(Random(seed)).new(CUSTOMER, moment)

    assert id_at(CUSTOMER, moment) <= identifier
    if moment < 2**48 - 1:
        assert identifier < id_at(CUSTOMER, moment + 1)


@given(st.integers(), milliseconds)
def test_an_id_matches_the_contract(seed: int, moment: int) -> None:
    identifier = IdSource(Random(seed)).new(CUSTOMER, moment)

    assert (len(identifier), pattern(CUSTOMER).fullmatch(identifier) is not None) == (27, True)
