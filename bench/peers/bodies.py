"""What the two FastAPI peers take: the bodies of the contract as pydantic checks them."""

# ruff: noqa: S105  (a pattern, no password)

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, NamedTuple, Self

import iso4217
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

CURRENCIES = frozenset(currency.code for currency in iso4217.Currency)
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = rf"^[A-Za-z0-9.!#$%&'*+/=?^_{{}}~`|-]{{1,64}}@{LABEL}(?:\.{LABEL})+$"
TOKEN = r"^[A-Za-z0-9_-]+$"
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
KINDS = ("customer", "account", "bill")
NAMED, NEW = "(named)", "(new)"
"""How a member that names an object or brings a new one was read; they stand in the path of a fault."""


def active_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("is not an active ISO 4217 code")
    return code


def unreserved(prefix: str) -> AfterValidator:
    def checked(reference: str) -> str:
        if reference.startswith(prefix):
            raise ValueError(f"may not begin with {prefix}")
        return reference

    return AfterValidator(checked)


def not_check(reference: str) -> str:
    if reference == "check":
        raise ValueError("is the name of a route")
    return reference


def calendar_date(given: Any) -> date:
    if not isinstance(given, str) or not DATE.fullmatch(given):
        raise ValueError("is not a date like 2025-01-31")
    return date.fromisoformat(given)


def moment(given: Any) -> datetime:
    if not isinstance(given, str) or not MOMENT.fullmatch(given):
        raise ValueError("is not a time like 2025-01-31T23:59:59Z")
    found = datetime.fromisoformat(given)
    if found > datetime.now(UTC):
        raise ValueError("is in the future")
    return found


def named_or_new(given: Any) -> str:
    return NAMED if isinstance(given, str) else NEW


Amount = Annotated[int, Field(ge=1, le=999_999_999_999)]
Balance = Annotated[int, Field(ge=-(2**53) + 1, le=2**53 - 1)]
Currency = Annotated[str, AfterValidator(active_currency)]
Text = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
Email = Annotated[str, Field(max_length=255, pattern=EMAIL)]
Phone = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{1,14}$")]
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=TOKEN)]
Reference = Annotated[Name, unreserved("bcus_")]
AccountReference = Annotated[Name, unreserved("bacc_")]
PaymentReference = Annotated[Name, AfterValidator(not_check)]
BillAmount = Annotated[int, Field(ge=1, le=99_999_999)]
Date = Annotated[date, BeforeValidator(calendar_date)]
Moment = Annotated[datetime, BeforeValidator(moment)]
Handle = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9_]+$")]
MetadataKey = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00]*$")]
MetadataValue = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=20)]


class Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PaymentRules(Checked):
    min_amount: Amount
    max_amount: Amount
    underpayment_allowed: bool
    overpayment_allowed: bool

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.min_amount > self.max_amount:
            raise ValueError("min_amount is above max_amount")
        return self


DEFAULT_RULES = PaymentRules(min_amount=1, max_amount=99_999_999, underpayment_allowed=True, overpayment_allowed=False)


class Owing(Checked):
    name: Text | None = None
    currency: Currency | None = None
    balance: Balance | None = None
    payment_rules: PaymentRules | None = None
    metadata: Metadata | None = None


class Opened(Owing):
    @model_validator(mode="after")
    def balance_has_currency(self) -> Self:
        if self.balance is not None and self.currency is None:
            raise ValueError("balance needs a currency")
        return self


class Reachable(Checked):
    email: Email | None = None
    phone: Phone | None = None


class CustomerUpdate(Owing, Reachable):
    id: str | None = None
    external_reference: str | None = None


class CustomerCreate(Opened, Reachable):
    external_reference: Reference


NamedOrNewCustomer = Annotated[
    Annotated[Name, Tag(NAMED)] | Annotated[CustomerCreate, Tag(NEW)], Discriminator(named_or_new)
]


class AccountCreate(Opened):
    external_reference: AccountReference
    customer: NamedOrNewCustomer | None = None


NamedOrNewAccount = Annotated[
    Annotated[Name, Tag(NAMED)] | Annotated[AccountCreate, Tag(NEW)], Discriminator(named_or_new)
]


class BillCreate(Checked):
    external_reference: Reference
    customer: NamedOrNewCustomer | None = None
    account: NamedOrNewAccount | None = None
    currency: Currency
    amount_due: BillAmount
    bill_date: Date | None = None
    due_date: Date | None = None
    payment_rules: PaymentRules | None = None
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def belongs_to_one(self) -> Self:
        """Take a customer, an account that stands, or a new account whose customer is named in one place."""
        new = self.account if isinstance(self.account, AccountCreate) else None
        named = [self.customer, new.customer if new else self.account]
        if sum(each is not None for each in named) != 1:
            raise ValueError("names one customer or one account")
        return self

    def rules(self) -> PaymentRules:
        """Return the rules that the bill gets, its own or the default ones within its amount."""
        return self.payment_rules or DEFAULT_RULES.model_copy(update={"max_amount": self.amount_due})


class Target(NamedTuple):
    """What an amount is paid to: the kind of it, and its id or reference."""

    kind: str
    name: str
    amount: int


class Paying(Checked):
    amount: Amount
    customer: Name | None = None
    account: Name | None = None
    bill: Name | None = None

    def target(self) -> Target | None:
        """Return what is named; fail where more than one thing is."""
        named = [(kind, name) for kind in KINDS if (name := getattr(self, kind))]
        if len(named) > 1:
            raise ValueError("names more than one customer, account or bill")
        return Target(*named[0], self.amount) if named else None


class Applied(Paying):
    @model_validator(mode="after")
    def names_one(self) -> Self:
        if self.target() is None:
            raise ValueError("names no customer, account or bill")
        return self


class PaymentCreate(Paying):
    currency: Currency
    applications: Annotated[list[Applied], Field(min_length=1, max_length=100)] | None = None
    external_reference: PaymentReference | None = None
    channel: Handle | None = None
    method: Handle | None = None
    provider_reference: Text | None = None
    paid_at: Moment | None = None
    metadata: Metadata | None = None

    def targets(self) -> list[Target]:
        """Return all that is paid, in order."""
        one = self.target()
        return [one] if one else [each.target() for each in self.applications or ()]

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        if (self.target() is None) == (self.applications is None):
            raise ValueError("names one customer, account or bill, or applications")
        targets = self.targets()
        if len({(each.kind, each.name) for each in targets}) < len(targets):
            raise ValueError("the same thing is paid twice")
        if sum(each.amount for each in targets) != self.amount:
            raise ValueError("the applications do not add up to the amount")
        return self


class Given(Checked):
    id: Name
    amount: Amount


class RefundCreate(Checked):
    amount: Amount | None = None
    applications: Annotated[list[Given], Field(min_length=1, max_length=100)] | None = None
    reason: Text | None = None
    external_reference: Name | None = None
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def adds_up(self) -> Self:
        given = self.applications
        if given and len({each.id for each in given}) < len(given):
            raise ValueError("the same application is named twice")
        if given and self.amount not in (None, sum(each.amount for each in given)):
            raise ValueError("the applications do not add up to the amount")
        return self
