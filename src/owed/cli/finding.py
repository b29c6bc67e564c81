"""Finding objects from the command line, by the filters of the API's lists."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, signature
from typing import Any, NamedTuple

import msgspec
import typer

from owed.api import query
from owed.api.fields import Faults
from owed.api.filters import METADATA_FILTER, TIMES, Filters, Given
from owed.api.lists import MOST, Listing
from owed.cli.errors import Refused, wrong
from owed.cli.tenants import Tenant
from owed.core.outcomes import Fault
from owed.core.state import Name
from owed.model import search
from owed.model.billing_object import BillingObject
from owed.store.list_queries import Cursor, ListQuery
from owed.store.lists import Lists
from owed.store.lookups import Lookups

Command = Callable[..., None]


class Found(NamedTuple):
    """The newest objects that were asked for, and whether there are older ones."""

    objects: list[BillingObject]
    are_more: bool


def filtered_by(filters: Filters) -> Callable[[Command], Command]:
    """Give a command an option for each filter, which it gets among its keywords."""

    def extended(command: Command) -> Command:
        plain = signature(command)
        own = [each for each in plain.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        command.__dict__["__signature__"] = plain.replace(parameters=[*options(filters), *own])
        return command

    return extended


def options(filters: Filters) -> Iterator[Parameter]:
    """Yield the option of each filter, described as the API describes it."""
    for name, field in filters.fields.items():
        values = field.schema.get("enum", [])
        if values == ["true"]:
            yield option(name, bool, field.schema["description"])
        else:
            yield option(name, str, field.schema["description"], metavar="|".join(values) or None)
    for name in TIMES:
        side = name.replace("_", " ").capitalize()
        yield option(name, str, f"{side} this time, such as 2026-01-31T09:30:00Z.")
    yield option("metadata", list[str], "With this value in the metadata; may be repeated.", metavar="KEY=VALUE")


def option(name: str, kind: Any, description: str, metavar: str | None = None) -> Parameter:
    """Make an option that may be left out."""
    default = typer.Option(None, f"--{name.replace('_', '-')}", help=description, metavar=metavar)
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind | None)


async def find_newest(tenant: Tenant, listing: Listing, filters: Mapping[str, Any], limit: int) -> Found:
    """Find the newest objects that pass the filters.

    Raises:
        SettingsError: A filter has a value that it cannot have.
        Refused: A filter names an object that does not exist.
    """
    faults = Faults()
    given = listing.filters.read(list(parameters(filters, faults)), faults)
    asked = listing.query(tenant.id, (await tenant.settings()).settings, given, faults)
    if faults.found:
        raise wrong(Fault(option_of(fault.pointer), fault.detail) for fault in faults.found)
    owners = [await owner_term(tenant, kind, given) for kind in listing.filters.owners if kind in given.checked]
    return await newest(Lists(tenant.pool), msgspec.structs.replace(asked, terms=asked.terms.union(owners)), limit)


def checked(
    given: Mapping[str, str | None], check: Callable[[dict[str, str], Faults], dict[str, Any]]
) -> dict[str, Any]:
    """Give the filters of a query, of the options that are given.

    Args:
        check: Gives those that are right, and notes what is wrong with the others.

    Raises:
        SettingsError: One has a value that it cannot have.
    """
    faults = Faults()
    texts = {name: text for name, text in given.items() if text is not None}
    for name, text in texts.items():
        if not query.is_text(text):
            faults.note(query.place(name), "This must be text in UTF-8.")
    filters = {} if faults.found else check(texts, faults)
    if faults.found:
        raise wrong(Fault(option_of(fault.pointer), fault.detail) for fault in faults.found)
    return filters


def parameters(filters: Mapping[str, Any], faults: Faults) -> Iterator[tuple[str, str]]:
    """Yield the filters that are given as the parameters of a request would be, noting those that could be none."""
    for name, value in filters.items():
        for text in value if isinstance(value, list) else [value]:
            if text is True:
                yield name, "true"
            elif text is not None and not query.is_text(text):
                faults.note(query.place(name), "This must be text in UTF-8.")
            elif text is not None:
                yield metadata_parameter(text, faults) if name == "metadata" else (name, text)


def metadata_parameter(text: str, faults: Faults) -> tuple[str, str]:
    """Give the parameter of a filter on metadata."""
    key, equals, value = text.partition("=")
    if not equals:
        faults.note(query.place("metadata"), "This must be KEY=VALUE, such as plan=gold.")
    return f"metadata[{key}]", value


async def owner_term(tenant: Tenant, kind: str, given: Given) -> str:
    """Give the term of what belongs to the object that a filter names."""
    return search.owner_term((await find(tenant, kind, given.checked[kind])).id)


async def find(tenant: Tenant, kind: str, name: str) -> BillingObject:
    """Find an object by its id or its external reference.

    Raises:
        Refused: There is none.
    """
    found: BillingObject | None = await Lookups(tenant.pool).find(Name(kind, tenant.id, name))
    if found is None:
        raise Refused(f"there is no {kind} {name!r} in {tenant.mode} mode")
    return found


async def references_of(tenant: Tenant, kind: str, ids: set[str]) -> dict[str, str]:
    """Give the external references of objects of a kind, by id."""
    lookups = Lookups(tenant.pool)
    found = await asyncio.gather(*(lookups.find(Name(kind, tenant.id, each)) for each in ids))
    return {each.id: each.external_reference for each in found}


async def newest(lists: Lists, asked: ListQuery, limit: int) -> Found:
    """Read page after page, until there are enough objects or no more."""
    found: list[BillingObject] = []
    while True:
        page = await lists.page(msgspec.structs.replace(asked, limit=min(MOST, limit - len(found))))
        found += page.objects
        if len(found) >= limit or not page.has_older:
            return Found(found, are_more=page.has_older)
        asked = msgspec.structs.replace(asked, cursor=Cursor(newer=False, id=found[-1].id))


def option_of(pointer: str) -> str:
    """Name the option that a fault of a query is about."""
    name = pointer.removeprefix("query: ")
    return "--metadata" if METADATA_FILTER(name) else f"--{name.replace('_', '-')}"
