"""The operations of webhook endpoints, as the documentation tells of them."""

from owed.api.docs import story, webhook_story
from owed.api.docs.operation import (
    ALWAYS,
    CHANGING,
    CREATING,
    NULLS,
    PAGING,
    READER,
    REPLAYED,
    UNMODIFIED,
    VERSION,
    WRITER,
    Operation,
    Operations,
    Success,
)
from owed.api.messages import JSON, MERGE_PATCH
from owed.core.outcomes import Code
from owed.core.webhook_endpoints import MOST_ENDPOINTS, MOST_SECRETS, OVERLAP

ENDPOINTS_PATH = "/billing/webhook_endpoints"
ENDPOINT_PATH = f"{ENDPOINTS_PATH}/{{endpoint}}"
SECRETS_PATH = f"{ENDPOINT_PATH}/secrets"

TAG = "Webhook endpoints"

CREATED = f"""\
It is sent every event of its types that is recorded from now on. The answer shows the `secret` that signatures are \
made with; keep it.

With a live key `url` must be `https`; with a test key it may be `http`, and on the server's own machine where that \
listens to no other. Else it must lead to a public address, unless the operator allows more. Redirects are not \
followed. There are at most {MOST_ENDPOINTS} endpoints in each mode: 409."""

CHANGED = f"""\
Only the given members change; `events` is replaced whole. An endpoint that is disabled, by you or because it failed, \
keeps its place among the events. To enable it say what becomes of its `backlog`: with `resume` it gets all that it \
missed, and what had failed; with `skip` only what is recorded from now on. Elsewhere `backlog` is 400. A new `url` is \
for everything that is still to be delivered, new `events` are for what is taken up from now on.

{NULLS} To clear `description`, send the body as `application/merge-patch+json`: there null clears."""

ROTATED = f"""\
The endpoint gets a new secret, which the answer shows. Those until now go on signing beside it for `expires_in` \
seconds, {OVERLAP:,} unless it is given: each attempt has a signature by every secret that is valid, so that it is all \
one which of them a receiver knows. At most {MOST_SECRETS} are valid at a time: 409. A body is not needed."""

SHOWN = story.shown(webhook_story.endpoint())

DELETING = tuple(code for code in CHANGING if code not in {Code.CONFLICT, Code.UNSUPPORTED_MEDIA_TYPE})
"""What a deletion may be refused for: it has no body, and no state forbids it."""

ENDPOINTS: Operations = {
    (ENDPOINTS_PATH, "GET"): Operation(
        "listWebhookEndpoints",
        "List webhook endpoints",
        "Newest first.",
        TAG,
        {200: Success("A page of endpoints.", "WebhookEndpointPage", (), PAGING)},
        ALWAYS,
        ("Limit", "Cursor", *READER),
    ),
    (ENDPOINTS_PATH, "POST"): Operation(
        "createWebhookEndpoint",
        "Create a webhook endpoint",
        CREATED,
        TAG,
        {
            201: Success(
                "The endpoint was created.",
                "WebhookEndpointWithSecret",
                ("Location", *VERSION),
                REPLAYED,
                example=webhook_story.with_secret(webhook_story.endpoint()),
                kind="endpoint",
            )
        },
        CREATING,
        WRITER,
        {JSON: "NewWebhookEndpoint"},
    ),
    (ENDPOINT_PATH, "GET"): Operation(
        "retrieveWebhookEndpoint",
        "Retrieve a webhook endpoint",
        "By its id.",
        TAG,
        {200: Success("The endpoint.", "WebhookEndpoint", VERSION, example=SHOWN), 304: UNMODIFIED},
        (*ALWAYS, Code.NOT_FOUND),
        ("Endpoint", "IfNoneMatch", *READER),
    ),
    (ENDPOINT_PATH, "PATCH"): Operation(
        "updateWebhookEndpoint",
        "Update a webhook endpoint",
        CHANGED,
        TAG,
        {
            200: Success(
                "The endpoint as it now stands.",
                "WebhookEndpoint",
                VERSION,
                REPLAYED,
                example=webhook_story.changed(),
            )
        },
        CHANGING,
        ("Endpoint", "IfMatch", *WRITER),
        {JSON: "WebhookEndpointChanges", MERGE_PATCH: "WebhookEndpointMergePatch"},
    ),
    (ENDPOINT_PATH, "DELETE"): Operation(
        "deleteWebhookEndpoint",
        "Delete a webhook endpoint",
        "For good, with all that it has yet to get. What became of earlier deliveries can still be read.",
        TAG,
        {204: Success("The endpoint is no more.", optional=REPLAYED)},
        DELETING,
        ("Endpoint", "IfMatch", *WRITER),
    ),
    (SECRETS_PATH, "GET"): Operation(
        "listWebhookSecrets",
        "List the secrets of a webhook endpoint",
        "Those that are valid, newest first, but for what they are.",
        TAG,
        {200: Success("The secrets.", "WebhookSecretList")},
        (*ALWAYS, Code.NOT_FOUND),
        ("Endpoint", *READER),
    ),
    (f"{SECRETS_PATH}/{{secret}}", "GET"): Operation(
        "retrieveWebhookSecret",
        "Show a secret",
        "By its id, while it is valid.",
        TAG,
        {200: Success("The secret.", "WebhookSecret")},
        (*ALWAYS, Code.NOT_FOUND),
        ("Endpoint", "Secret", *READER),
    ),
    (f"{ENDPOINT_PATH}/rotate-secret", "POST"): Operation(
        "rotateWebhookSecret",
        "Rotate the secret of a webhook endpoint",
        ROTATED,
        TAG,
        {
            200: Success(
                "The endpoint, with its new secret.",
                "WebhookEndpointWithSecret",
                VERSION,
                REPLAYED,
                example=webhook_story.with_secret(webhook_story.rotated()),
            )
        },
        CHANGING,
        ("Endpoint", "IfMatch", *WRITER),
        {JSON: "SecretRotation"},
        needs_body=False,
    ),
    (f"{ENDPOINT_PATH}/status", "GET"): Operation(
        "retrieveWebhookStatus",
        "See how delivery comes along",
        "What the endpoint has yet to get, when it is attempted next, and how it has done.",
        TAG,
        {200: Success("How delivery comes along.", "WebhookEndpointStatus")},
        (*ALWAYS, Code.NOT_FOUND),
        ("Endpoint", *READER),
    ),
}
