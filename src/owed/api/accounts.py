"""Accounts over HTTP (contract, section 3)."""

from owed.api import customers
from owed.api.fields import Field, Object, Text
from owed.api.filters import Filters
from owed.api.forms import METADATA, MONEY, PAYMENT_RULES, Parent, balance, fixed, ours, reference, settled
from owed.api.lists import Listing
from owed.api.resource import Resource
from owed.core.accounts import AccountMembers
from owed.core.customers import CustomerMembers
from owed.model import search
from owed.model.identifiers import ACCOUNT

MEMBERS: dict[str, Field] = {
    "name": Text(255, "What the account is called.", "12 Acacia Avenue, electricity"),
    "currency": MONEY,
    "balance": balance("account"),
    "payment_rules": PAYMENT_RULES,
    "metadata": METADATA,
}

CUSTOMER = Parent(
    customers.CREATE,
    CustomerMembers,
    "Whose account it is: the id or the external reference of a customer, or a whole new customer.",
)

CREATE = Object(
    {
        **ours("id", "customer_id"),
        "external_reference": reference("account", ACCOUNT, "ACC1234567890"),
        "customer": CUSTOMER,
        **MEMBERS,
    },
    dict,
    "A new account.",
    required=("external_reference",),
)

UPDATE = Object(
    {**fixed("id", "external_reference", "customer_id"), **settled("customer"), **MEMBERS},
    dict,
    "The members to change.",
)

ACCOUNTS = Resource(AccountMembers, CREATE, UPDATE, clearable=frozenset({"name", "payment_rules"}))

LIST = Listing(
    AccountMembers.kind,
    Filters(
        {"currency": (MONEY, search.currency_term)},
        owners=("customer",),
        searched="name or reference",
    ),
)
