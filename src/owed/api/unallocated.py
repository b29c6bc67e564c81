"""Unallocated money over HTTP: what was received and is applied to nothing (contract, section 6)."""

from typing import Any

import msgspec

from owed.api import query
from owed.api.fields import Faults
from owed.api.filters import IN_CURRENCY, Filters, Given, owner
from owed.api.lists import Listing
from owed.api.messages import Request, Response, json_response
from owed.api.payment_names import CHANNEL
from owed.api.problems import Refusal
from owed.api.service import Service
from owed.core.outcomes import not_found
from owed.core.state import Name
from owed.model.customer import Customer
from owed.model.payment import Payment
from owed.model.tenant_settings import TenantSettings
from owed.store.list_queries import Aside, ListQuery
from owed.store.lists import Page


class UnallocatedList(Listing):
    """The list of the payments of which something is applied to nothing."""

    def query(self, tenant_id: int, settings: TenantSettings, given: Given, faults: Faults) -> ListQuery:
        """Make the query of the filters that are given, but for the customer, who must be looked up."""
        aside = Aside(currency=given.checked.get("currency"), channel=given.checked.get("channel"))
        return msgspec.structs.replace(super().query(tenant_id, settings, given, faults), aside=aside)

    async def _page(self, service: Service, asked: ListQuery, given: Given) -> Page[Any]:
        """Read a page. Where the filter names a customer that does not exist, it is empty."""
        if "customer" not in given.checked or asked.aside is None:
            return await service.lists.page(asked)
        found = await service.lookups.find(Name(Customer.kind, asked.tenant_id, given.checked["customer"]))
        if found is None:
            return Page([])
        aside = asked.aside._replace(customer_id=found.id)
        return await service.lists.page(msgspec.structs.replace(asked, aside=aside))


LIST = UnallocatedList(
    Payment.kind, Filters({}, beside={"customer": owner(Customer.kind), "currency": IN_CURRENCY, "channel": CHANNEL})
)


async def retrieve_unallocated(service: Service, request: Request) -> Response:
    """GET /billing/customers/{customer}/unallocated: what of a customer's payments is applied to nothing."""
    (name,) = request.arguments
    found = await service.lookups.find(Name(Customer.kind, request.key.tenant_id, name))
    if found is None:
        raise Refusal(not_found(Customer.kind, name))
    query.refuse_any(request)
    unallocated = await service.unallocated.of(found.tenant_id, found.id)
    return json_response({"data": [each.shown() for each in unallocated]})
