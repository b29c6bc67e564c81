-- Webhooks: the order in which events are read, the endpoints that get them, and what each endpoint has yet to get.

-- The feed is every event in an order in which nothing is ever added before what has been read: by the number of the
-- transaction that wrote it, read below the oldest one that is still running. A reader that keeps its place misses
-- nothing. The numbers of another database server, from which this one was restored, may be higher than its own; what
-- is written here is shifted above them.
CREATE TABLE feed (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shift     bigint NOT NULL
);

INSERT INTO feed (shift) VALUES (0);

-- Where an event stands that is written now. A transaction may have its number before it waits for an object, so its
-- number alone could put it before the event that it waited for: hence the last transaction that had ended, if higher.
-- Two events of one object that share a position are in the order of their sequence.
CREATE FUNCTION feed_position() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT greatest(pg_current_xact_id()::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1) + shift
      FROM feed
$$;

-- The position below which nothing will be added any more.
CREATE FUNCTION feed_end() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + shift FROM feed
$$;

-- What stands before this has the first position of all, and an older program that still runs has the default.
ALTER TABLE event ADD COLUMN position bigint NOT NULL DEFAULT 0;
ALTER TABLE event ALTER COLUMN position SET DEFAULT feed_position();

CREATE INDEX event_feed ON event (tenant_id, position, sequence, id);
CREATE INDEX event_by_type ON event (tenant_id, type, id);

CREATE TABLE webhook_endpoint (
    tenant_id        integer NOT NULL,
    id               text COLLATE "C" NOT NULL,
    url              text NOT NULL,
    types            text COLLATE "C" NOT NULL,  -- of the events that it gets, with a space between two; * is all
    description      text,
    enabled          boolean NOT NULL,
    disabled_reason  text COLLATE "C" CHECK (disabled_reason IN ('requested', 'gone', 'failing')),
    secrets          json NOT NULL,
    is_listener      boolean NOT NULL,  -- of `owed listen`, which delivers to itself
    starts_at        timestamptz NOT NULL,  -- it gets what is recorded after this
    resumed_at       timestamptz NOT NULL,  -- when it was enabled last
    deleted_at       timestamptz,
    version          bigint NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    -- How far delivery has come, kept by the workers: the place in the feed of the event that was taken up last, the
    -- enabling that was acted on last, and how the receiver does.
    position         bigint NOT NULL DEFAULT feed_end(),
    sequence         bigint NOT NULL DEFAULT 0,
    event_id         text COLLATE "C" NOT NULL DEFAULT '',
    resumed_to       timestamptz NOT NULL DEFAULT '-infinity',
    rests_until      timestamptz,
    seen_at          timestamptz,  -- when `owed listen` was there last
    last_success_at  timestamptz,
    last_failure_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK (enabled = (disabled_reason IS NULL))
);

-- What an endpoint has not got: it leaves when the receiver has taken it. Deliveries of one lane go one after another,
-- in the order of the feed: only the first of them is ever due. The lane of an event is its object; one that is sent
-- out of that order has a lane of its own, named after itself.
--
-- The table is empty at most times and then full, so that the planner knows nothing of it. Hence each row is found by
-- one index alone: by the whole primary key, or, for what is due, by the time.
CREATE TABLE delivery (
    tenant_id         integer NOT NULL,
    endpoint_id       text COLLATE "C" NOT NULL,
    lane              text COLLATE "C" NOT NULL,
    position          bigint NOT NULL,
    sequence          bigint NOT NULL,
    event_id          text COLLATE "C" NOT NULL,
    due_at            timestamptz,  -- null: it waits behind another, or has failed; while claimed: when the claim ends
    claim             bigint,       -- of the worker that has it now
    tried             integer NOT NULL DEFAULT 0,  -- attempts that there ever were
    attempts          integer NOT NULL DEFAULT 0,  -- those since it was begun, or begun afresh
    first_attempt_at  timestamptz,
    retry_at          timestamptz,  -- when it is to be attempted again; due earlier only to be set aside
    failed_at         timestamptz,  -- when its last retry was used up
    PRIMARY KEY (tenant_id, endpoint_id, lane, position, sequence)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);

CREATE INDEX delivery_due ON delivery (tenant_id, endpoint_id, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE delivery_attempt (
    tenant_id        integer NOT NULL,
    id               text COLLATE "C" NOT NULL,
    event_id         text COLLATE "C" NOT NULL,
    endpoint_id      text COLLATE "C" NOT NULL,
    number           integer NOT NULL,
    attempted_at     timestamptz NOT NULL,
    duration_ms      integer NOT NULL,
    address          text,
    status           smallint,
    answer           bytea,
    error            text,
    succeeded        boolean NOT NULL,
    out_of_order     boolean NOT NULL,
    next_attempt_at  timestamptz,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX delivery_attempt_by_event ON delivery_attempt (tenant_id, event_id, id);

-- What a merchant asked to be sent again: one event, or those of a time. A worker takes it up step by step.
CREATE TABLE replay (
    tenant_id    integer NOT NULL,
    id           text COLLATE "C" NOT NULL,
    endpoint_id  text COLLATE "C" NOT NULL,
    event_id     text COLLATE "C",
    since        timestamptz,
    until        timestamptz,
    types        text COLLATE "C",
    only_failed  boolean NOT NULL,
    created_at   timestamptz NOT NULL,
    -- How far it has come, kept by the workers.
    taken_up_to  text COLLATE "C" NOT NULL DEFAULT '',
    finished_at  timestamptz,
    PRIMARY KEY (tenant_id, id),
    CHECK ((event_id IS NULL) = (since IS NOT NULL AND until IS NOT NULL))
);

CREATE INDEX replay_unfinished ON replay (tenant_id, endpoint_id, id) WHERE finished_at IS NULL;
