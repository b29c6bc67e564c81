"""The operations of events, as the documentation tells of them."""

from owed.api.docs import webhook_story
from owed.api.docs.operation import ALWAYS, PAGING, READER, Operation, Operations, Success
from owed.api.docs.parts import EVENT_FILTERS
from owed.core.outcomes import Code
from owed.store.feed import MOST_EXAMINED

EVENTS_PATH = "/billing/events"
EVENT_PATH = f"{EVENTS_PATH}/{{event}}"

LISTED = f"""\
Newest first, and led on by `cursor`. All filters hold at once; one that names an object that does not exist finds \
nothing.

With `order=asc` this is the feed: every event from the first on, in the order in which they came to be visible, so \
that a reader who keeps `Next-Cursor` and asks for what is `after` it misses nothing and sees nothing twice. There \
`Next-Cursor` is on every page, also on one that is empty: keep it, and ask again later. A page looks at up to \
{MOST_EXAMINED:,} events, so that with `type` or `object` it may be short, or empty, though more follow. The feed has \
no bounds of time and no `cursor`."""

EVENTS: Operations = {
    (EVENTS_PATH, "GET"): Operation(
        "listEvents",
        "List events, or read the feed",
        LISTED,
        "Events",
        {200: Success("A page of events.", "EventPage", (), PAGING)},
        ALWAYS,
        (*EVENT_FILTERS, "After", "Limit", "Cursor", *READER),
    ),
    (EVENT_PATH, "GET"): Operation(
        "retrieveEvent",
        "Retrieve an event",
        "The answer's body is, byte for byte, what is signed and sent.",
        "Events",
        {
            200: Success(
                "The event.",
                "Event",
                ("Last-Modified",),
                example=webhook_story.envelope(webhook_story.event(webhook_story.PAID)),
            )
        },
        (*ALWAYS, Code.NOT_FOUND),
        ("Event", *READER),
    ),
}
