"""Accounts over HTTP (contract, section 3)."""

from owed.api import customers
from owed.api.composites import Object
from owed.api.fields import Field, Text
from owed.api.filters import IN_CURRENCY, Filters
from owed.api.forms import METADATA, MONEY, PAYMENT_RULES, balance, balance_as_of, fixed, ours, reference, settled
from owed.api.lists import Listing
from owed.api.resource import Resource
from owed.core.accounts import AccountMembers
from owed.core.reapplying import UpdateBalance
from owed.model import search
from owed.model.identifiers import ACCOUNT

MEMBERS: dict[str, Field] = {
    "name": Text(255, "What the account is called.", "12 Acacia Avenue, electricity"),
    "currency": MONEY,
    "balance": balance("account"),
    "payment_rules": PAYMENT_RULES,
    "metadata": METADATA,
}

CREATE = Object(
    {
        **ours("id", "customer_id"),
        "external_reference": reference("account", ACCOUNT, "ACC1234567890"),
        "customer": customers.owner("Whose account it is"),
        **MEMBERS,
    },
    dict,
    "A new account.",
    required=("external_reference",),
)

UPDATE = Object(
    {
        **fixed("id", "external_reference", "customer_id"),
        **settled("customer"),
        **MEMBERS,
        "balance_as_of": balance_as_of(),
    },
    dict,
    "The members to change.",
)

ACCOUNTS = Resource(AccountMembers, CREATE, UPDATE, UpdateBalance)

LIST = Listing(
    AccountMembers.kind,
    Filters(
        {"currency": (IN_CURRENCY, search.currency_term)},
        owners=("customer",),
        searched="name or reference",
    ),
)
