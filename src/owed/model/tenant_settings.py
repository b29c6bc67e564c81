"""What a merchant has decided for one mode, test or live (contract, section 5)."""

import msgspec

from owed.model.payment_rules import DEFAULT_RULES, PaymentRules


class DefaultRules(msgspec.Struct, frozen=True):
    """The payment rules that a new object gets where the request gives none."""

    customer: PaymentRules = DEFAULT_RULES


class TenantSettings(msgspec.Struct, frozen=True):
    """The settings of one tenant, with the values that a new merchant starts with."""

    require_idempotency_key: bool = False
    payment_rules: DefaultRules = DefaultRules()
