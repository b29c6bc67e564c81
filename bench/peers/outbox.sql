-- What the usual outbox keeps: one row for each event and endpoint, written where the event is.

CREATE TABLE webhook_endpoint (
    id      text PRIMARY KEY,
    url     text NOT NULL,
    secret  text NOT NULL
);

CREATE TABLE webhook_delivery (
    id               bigserial PRIMARY KEY,
    endpoint_id      text NOT NULL REFERENCES webhook_endpoint (id),
    event_id         text NOT NULL,
    body             text NOT NULL,
    attempts         integer NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz DEFAULT now(),  -- null: delivered, or given up
    delivered_at     timestamptz,
    last_status      integer,
    last_error       text
);

CREATE INDEX webhook_delivery_due ON webhook_delivery (next_attempt_at, id) WHERE next_attempt_at IS NOT NULL;
