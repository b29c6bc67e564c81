"""Search terms: what an object can be found by in a list (contract, 1.6)."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import pairwise

WORD = re.compile(r"[^\W_]+")

BLOCKS = (1, 32, 1024, 32768)
"""The lengths in days of the blocks that dates are found by: any range of dates is less than 300 of them."""


def words(text: str) -> list[str]:
    """List the words of a text: runs of letters and digits, in one case and one form of Unicode."""
    if text.isascii():
        return WORD.findall(text.lower())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(character if is_of_word(character) else " " for character in folded).split()


def is_of_word(character: str) -> bool:
    """Tell whether a character is of a word: a letter, a digit, or a mark that belongs to the letter before it."""
    return character.isalnum() or unicodedata.category(character)[0] == "M"


def word_term(word: str) -> str:
    """Give the term of a word, as `words` yields it."""
    return f"w:{word}"


def email_term(email: str) -> str:
    """Give the term of a whole e-mail address."""
    return f"e:{email}"


def phone_term(phone: str) -> str:
    """Give the term of a whole phone number."""
    return f"p:{phone}"


def currency_term(currency: str) -> str:
    """Give the term of a currency."""
    return f"c:{currency}"


def metadata_term(key: str, value: str) -> str:
    """Give the term of a metadata value; the length of the key keeps `a=b`, `c` apart from `a`, `b=c`."""
    return f"m:{len(key)}:{key}={value}"


def owner_term(object_id: str) -> str:
    """Give the term of what belongs to an object, or was paid on it, or takes it back, by its id."""
    return f"o:{object_id}"


def status_term(status: str) -> str:
    """Give the term of a status."""
    return f"s:{status}"


def channel_term(channel: str) -> str:
    """Give the term of the channel that a payment came through."""
    return f"h:{channel}"


def method_term(method: str) -> str:
    """Give the term of the method that was paid by."""
    return f"t:{method}"


POSSIBLE_DUPLICATE = "f:possible_duplicate"
"""The term of a payment that looks like another."""


def due_term(status: str, size: int, block: int) -> str:
    """Give the term of the bills with a status that are due in a block of days."""
    return f"d:{status}:{size}:{block}"


def due_terms(statuses: Iterable[str], first: int, last: int) -> list[str]:
    """List the terms of the bills with any of some statuses that are due between two days, each bill by one term.

    Args:
        first: The ordinal of the first day.
        last: The ordinal of the last day; before the first, there is none.
    """
    blocks = list(blocks_between(first, last))
    return [due_term(status, size, block) for status in statuses for size, block in blocks]


def blocks_between(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Yield the size and the number of the largest blocks of days that together are a range of days."""
    for size, larger in pairwise(BLOCKS):
        while first <= last and first % larger:
            yield size, first // size
            first += size
        while first <= last and (last + 1) % larger:
            yield size, last // size
            last -= size
    yield from ((BLOCKS[-1], block) for block in range(first // BLOCKS[-1], (last + 1) // BLOCKS[-1]))


def paid_term(size: int, block: int) -> str:
    """Give the term of the backdated payments that were made in a block of days."""
    return f"b:{size}:{block}"


def paid_terms(first: int, last: int) -> list[str]:
    """List the terms of the backdated payments that were made between two days, each payment by one term."""
    return [paid_term(size, block) for size, block in blocks_between(first, last)]


def paid_terms_of(day: date) -> Iterator[str]:
    """Yield the term of every block that the day of a backdated payment is in."""
    return (paid_term(size, day.toordinal() // size) for size in BLOCKS)


def due_terms_of(status: str, due: date) -> Iterator[str]:
    """Yield the term of every block that a due date is in."""
    return (due_term(status, size, due.toordinal() // size) for size in BLOCKS)


def word_terms(*texts: str | None) -> Iterator[str]:
    """Yield the term of every word of some texts."""
    return (word_term(word) for text in texts if text for word in words(text))
