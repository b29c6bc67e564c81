"""The schemas of webhook endpoints and of their secrets."""

from owed.api.books import Json
from owed.api.docs import story, webhook_story
from owed.api.docs.nouns import identifier
from owed.api.docs.schema import moment, objects, page_of, taken
from owed.api.fields import Schema
from owed.api.webhook_endpoints import CLEARABLE, CREATE, ROTATION, UPDATE
from owed.core.webhook_endpoints import MOST_SECRETS
from owed.model import identifiers
from owed.model.webhook_endpoint import DisabledReason
from owed.store.endpoint_reads import COUNTED

ENDPOINT_ID = identifier(identifiers.ENDPOINT, "The endpoint's id.")

VALUE: Schema = {
    "type": "string",
    "pattern": "^whsec_[A-Za-z0-9+/]{43}=$",
    "description": "The secret, which signatures are made and verified with. Keep it on your servers.",
}

WHY_DISABLED = (
    "Why it is not enabled: `requested` by you; `gone`, for it has answered 410; or `failing`, for an event has used "
    "up its last retry, and nothing was taken since that event's first attempt."
)


def whether(description: str) -> Schema:
    """Describe what is so or not."""
    return {"type": "boolean", "description": description}


def schemas_of_endpoints() -> dict[str, Schema]:
    """Give the schemas of endpoints, of their secrets, and of the requests that make and change them."""
    made, rotated = webhook_story.endpoint(), webhook_story.rotated()
    example, changes = story.shown(made), [webhook_story.CHANGES, webhook_story.DISABLED]
    return {
        "WebhookEndpoint": {**endpoint(), "examples": [example]},
        "WebhookEndpointPage": page_of("WebhookEndpoint", example),
        "WebhookEndpointWithSecret": {**with_secret(), "examples": [webhook_story.with_secret(made)]},
        "NewWebhookEndpoint": {**taken(CREATE), "examples": [webhook_story.NEW_ENDPOINT]},
        "WebhookEndpointChanges": {**taken(UPDATE), "examples": changes},
        "WebhookEndpointMergePatch": {**taken(UPDATE, CLEARABLE), "examples": [webhook_story.MERGE_PATCH]},
        "WebhookEndpointStatus": {**status(), "examples": [webhook_story.status()]},
        "SecretRotation": {**taken(ROTATION), "examples": [webhook_story.ROTATION]},
        **schemas_of_secrets([webhook_story.shown(each) for each in rotated.secrets], rotated.secret.value),
    }


def endpoint() -> Schema:
    """Describe an endpoint as it goes out."""
    ours: Schema = {
        "id": ENDPOINT_ID,
        "disabled_reason": {"type": "string", "enum": list(DisabledReason), "description": WHY_DISABLED},
        "listener": {**whether("That it is of a running `owed listen`, and goes when that ends."), "const": True},
        "secret_id": identifier(identifiers.SECRET, "The id of its newest secret."),
        "created_at": moment("When it was created."),
        "updated_at": moment("When it was changed last; it may have been disabled by us."),
    }
    members, optional = {**CREATE.schema["properties"], **ours}, {"description", "disabled_reason", "listener"}
    shown = {name: members[name] for name in webhook_story.endpoint().members()}
    return objects(
        shown,
        tuple(name for name in shown if name not in optional),
        "Where you are told what happened. A member that is not set is absent.",
    )


def with_secret() -> Schema:
    """Describe an endpoint as it goes out with its newest secret."""
    shown = endpoint()
    return {
        **shown,
        "description": "An endpoint, with its newest secret.",
        "properties": {**shown["properties"], "secret": VALUE},
        "required": [*shown["required"], "secret"],
    }


def status() -> Schema:
    """Describe how delivery to an endpoint comes along."""
    number: Schema = {"type": "integer", "minimum": 0, "maximum": COUNTED}
    missed = "Events that it has yet to get; while it is disabled, also those that it would have got."
    always: Schema = {
        "enabled": whether("Whether events are sent."),
        "pending": {**number, "description": f"{missed} Nothing is counted any further."},
        "failed": {**number, "description": "Events whose last retry was used up, and that it has not got."},
    }
    optional: Schema = {
        "next_attempt_at": moment("When the next attempt is due."),
        "last_success_at": moment("When it has last taken an event."),
        "last_failure_at": moment("When it has last failed to."),
        "resting_until": moment("Until when it has asked, by `Retry-After`, to be left alone."),
    }
    return objects({**always, **optional}, tuple(always), "How delivery to an endpoint comes along.")


def schemas_of_secrets(secrets: list[Json], value: str) -> dict[str, Schema]:
    """Give the schemas of a secret that is shown, and of a list of those that are not.

    Args:
        secrets: Those of an endpoint, the newest first.
        value: That of the newest.
    """
    always: Schema = {
        "id": identifier(identifiers.SECRET, "The secret's id."),
        "created_at": moment("When it was made."),
    }
    ends: Schema = {"expires_at": moment("When it stops signing; absent as long as it is the newest.")}
    items = {
        "type": "array",
        "items": objects({**always, **ends}, tuple(always), "A secret that signs."),
        "minItems": 1,
        "maxItems": MOST_SECRETS,
        "description": "Those that are valid, the newest first.",
    }
    shown = objects({**always, **ends, "secret": VALUE}, (*always, "secret"), "A secret, shown.")
    return {
        "WebhookSecret": {**shown, "examples": [{**secrets[0], "secret": value}]},
        "WebhookSecretList": objects({"data": items}, ("data",), "Secrets.", examples=[{"data": secrets}]),
    }
