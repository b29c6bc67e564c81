"""Search terms: what an object can be found by in a list (contract, 1.6)."""

import re
import unicodedata

from owed.model.customer import Customer

WORD = re.compile(r"[^\W_]+")


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


def customer_terms(customer: Customer) -> set[str]:
    """Give every term that a customer is found by."""
    texts = (customer.name, customer.email, customer.phone, customer.external_reference)
    found = {word_term(word) for text in texts if text for word in words(text)}
    found.update(metadata_term(key, value) for key, value in customer.metadata.items())
    if customer.email is not None:
        found.add(email_term(customer.email))
    if customer.phone is not None:
        found.add(phone_term(customer.phone))
    if customer.obligation.currency is not None:
        found.add(currency_term(customer.obligation.currency))
    return found
