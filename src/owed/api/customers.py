"""Customers over HTTP (contract, section 2)."""

from owed.api.composites import Object
from owed.api.fields import Field, Pattern, Text
from owed.api.filters import IN_CURRENCY, Filters
from owed.api.forms import METADATA, MONEY, PAYMENT_RULES, Parent, balance, balance_as_of, fixed, ours, reference
from owed.api.lists import Listing
from owed.api.resource import Resource
from owed.core.customers import CustomerMembers
from owed.core.reapplying import UpdateBalance
from owed.model import search
from owed.model.customer import Customer
from owed.model.identifiers import CUSTOMER

LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"[A-Za-z0-9.!#$%&'*+/=?^_{{}}~`|-]{{1,64}}@{LABEL}(?:\.{LABEL})+"

MEMBERS: dict[str, Field] = {
    "name": Text(255, "The customer's full name or business name.", "John Doe"),
    "email": Pattern(
        EMAIL,
        255,
        "an e-mail address, such as john.doe@example.com",
        "The customer's e-mail address.",
        "john.doe@example.com",
    ),
    "phone": Pattern(
        r"\+[1-9][0-9]{1,14}",
        16,
        "a phone number in E.164 format, such as +27123456789",
        "The customer's phone number in E.164 format.",
        "+27123456789",
    ),
    "currency": MONEY,
    "balance": balance("customer"),
    "payment_rules": PAYMENT_RULES,
    "metadata": METADATA,
}

CREATE = Object(
    {**ours("id"), "external_reference": reference("customer", CUSTOMER, "UCR1234567890"), **MEMBERS},
    dict,
    "A new customer.",
    required=("external_reference",),
)

UPDATE = Object(
    {**fixed("id", "external_reference"), **MEMBERS, "balance_as_of": balance_as_of()},
    dict,
    "The members to change.",
)


def owner(whose: str) -> Parent[Customer]:
    """Make the field of the customer that an object is to belong to."""
    return Parent(
        CREATE, CustomerMembers, f"{whose}: the id or the external reference of a customer, or a whole new customer."
    )


CUSTOMERS = Resource(CustomerMembers, CREATE, UPDATE, UpdateBalance)

LIST = Listing(
    CustomerMembers.kind,
    Filters(
        {
            "email": (MEMBERS["email"], search.email_term),
            "phone": (MEMBERS["phone"], search.phone_term),
            "currency": (IN_CURRENCY, search.currency_term),
        },
        searched="name, e-mail, phone or reference",
    ),
)
