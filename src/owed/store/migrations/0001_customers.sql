-- Merchants, their keys, customers, and what is recorded beside every change: transfers, events, answers.
--
-- Every table of billing data has tenant_id first in its primary key and its unique keys. It has no foreign key to
-- tenant: all writes of a tenant would share-lock that one row, and a tenant is never deleted.
-- Ids are text in the "C" collation: a prefix and 22 characters that sort by time of creation.

CREATE TABLE merchant (
    id          text COLLATE "C" PRIMARY KEY,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tenant (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id  text COLLATE "C" NOT NULL REFERENCES merchant,
    mode         text NOT NULL CHECK (mode IN ('test', 'live')),
    settings     json NOT NULL DEFAULT '{}',
    UNIQUE (merchant_id, mode)
);

CREATE TABLE api_key (
    id            text COLLATE "C" PRIMARY KEY,
    tenant_id     integer NOT NULL REFERENCES tenant,
    type          text NOT NULL CHECK (type IN ('secret', 'public')),
    name          text,
    hash          bytea NOT NULL UNIQUE,
    last4         text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz
);

CREATE INDEX api_key_by_tenant ON api_key (tenant_id);

-- What every worker must notice at once. A worker keeps the keys that it has seen for as long as this number stands:
-- it hears of a change by NOTIFY, and reads the number several times a second in case it did not hear.
CREATE TABLE access_revision (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    number    bigint NOT NULL
);

INSERT INTO access_revision (number) VALUES (1);

CREATE FUNCTION raise_access_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE access_revision SET number = number + 1;
    PERFORM pg_notify('owed_access', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER api_key_changed AFTER UPDATE OF revoked_at, expires_at, hash OR DELETE ON api_key
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_revision();

CREATE TRIGGER tenant_settings_changed AFTER UPDATE OF settings ON tenant
    FOR EACH STATEMENT EXECUTE FUNCTION raise_access_revision();

-- What all workers must share: the key that authenticates cursors.
CREATE TABLE secret (
    name   text PRIMARY KEY,
    value  bytea NOT NULL
);

INSERT INTO secret (name, value) VALUES
    ('cursor', sha256((gen_random_uuid()::text || gen_random_uuid()::text)::bytea));

CREATE TABLE customer (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C" NOT NULL,
    name                text,
    email               text COLLATE "C",
    phone               text COLLATE "C",
    payment_rules       json,
    metadata            json,
    -- The obligation: what the customer owes on the balance itself.
    currency            text COLLATE "C",
    tracked             boolean NOT NULL,
    total               bigint NOT NULL,
    transfer_version    bigint NOT NULL,
    transfer_hash       bytea NOT NULL,
    transferred_at      timestamptz,
    -- The object.
    version             bigint NOT NULL,
    event_sequence      bigint NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_reference)
);

-- What a list can be searched for, one row a term and object: 'w:doe' for a word, 'c:ZAR' for a currency.
-- Unlike a GIN index it yields a term's objects in the order of their ids, so any page costs what its rows cost. And
-- unlike an index on a column of customer it leaves the planner no worse way, and a change of balance stays off it.
CREATE TABLE search_term (
    tenant_id  integer NOT NULL,
    term       text COLLATE "C" NOT NULL,
    object_id  text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, term, object_id)
);

-- The ledger: appended, never changed. An obligation is a customer's balance, an account's balance, or a bill.
CREATE TABLE transfer (
    tenant_id           integer NOT NULL,
    obligation_id       text COLLATE "C" NOT NULL,
    version             bigint NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    amount              bigint NOT NULL,
    currency            text COLLATE "C" NOT NULL,
    total_after         bigint NOT NULL,
    debit               text COLLATE "C" NOT NULL,
    credit              text COLLATE "C" NOT NULL,
    cause               text COLLATE "C" NOT NULL,
    key_id              text COLLATE "C" NOT NULL,
    attribution_id      text COLLATE "C",
    attribution_digest  bytea,
    occurred_at         timestamptz NOT NULL,
    recorded_at         timestamptz NOT NULL,
    hash                bytea NOT NULL,
    PRIMARY KEY (tenant_id, obligation_id, version)
);

-- Who at the merchant did it, and why, in their words. The chain holds only a salted digest of it, so that a person
-- can be erased from here and the ledger still verifies.
CREATE TABLE attribution (
    tenant_id    integer NOT NULL,
    id           text COLLATE "C" NOT NULL,
    object_id    text COLLATE "C" NOT NULL,
    command      text COLLATE "C" NOT NULL,
    key_id       text COLLATE "C" NOT NULL,
    actor        text,
    reason       text,
    salt         bytea NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE event (
    tenant_id    integer NOT NULL,
    object_id    text COLLATE "C" NOT NULL,
    sequence     bigint NOT NULL,
    id           text COLLATE "C" NOT NULL,
    type         text COLLATE "C" NOT NULL,
    body         bytea NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, object_id, sequence)
);

-- The answers kept for Idempotency-Key, as they went out.
CREATE TABLE answer (
    tenant_id      integer NOT NULL,
    key            text COLLATE "C" NOT NULL,
    fingerprint    bytea NOT NULL,
    status         smallint NOT NULL,
    location       text,
    etag           text,
    last_modified  text,
    body           bytea NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);

CREATE INDEX answer_by_age ON answer (recorded_at);

-- Refuse a statement whose objects have changed since they were read; the engine reads and decides again.
CREATE FUNCTION refuse_stale(written bigint, expected bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF written <> expected THEN
        RAISE EXCEPTION 'an object has changed since it was read' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN true;
END
$$;
