-- The tables of the usual and the tuned stack, as people design them: one row a thing, and the indexes that lists need.

CREATE TABLE api_key (
    id          text PRIMARY KEY,
    tenant_id   integer NOT NULL,
    type        text NOT NULL,
    hash        bytea NOT NULL UNIQUE,
    expires_at  timestamptz,
    revoked_at  timestamptz
);

CREATE TABLE customer (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C" NOT NULL,
    name                text,
    email               text COLLATE "C",
    phone               text COLLATE "C",
    currency            text COLLATE "C",
    balance             bigint,
    payment_rules       jsonb NOT NULL,
    metadata            jsonb NOT NULL,
    version             bigint NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    words               tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple',
                            coalesce(name, '') || ' ' || coalesce(email, '') || ' ' || coalesce(phone, '') || ' '
                            || external_reference)) STORED,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_reference)
);

CREATE INDEX customer_by_email ON customer (tenant_id, email, id);
CREATE INDEX customer_by_phone ON customer (tenant_id, phone, id);
CREATE INDEX customer_by_currency ON customer (tenant_id, currency, id);
CREATE INDEX customer_by_metadata ON customer USING gin (metadata jsonb_path_ops);
CREATE INDEX customer_by_words ON customer USING gin (words);

CREATE TABLE transfer (
    tenant_id    integer NOT NULL,
    customer_id  text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    amount       bigint NOT NULL,
    currency     text NOT NULL,
    total_after  bigint NOT NULL,
    debit        text NOT NULL,
    credit       text NOT NULL,
    cause        text NOT NULL,
    key_id       text NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, customer_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer
);

CREATE TABLE event (
    tenant_id    integer NOT NULL,
    id           text COLLATE "C" NOT NULL,
    customer_id  text COLLATE "C" NOT NULL,
    type         text NOT NULL,
    body         text NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE answer (
    tenant_id    integer NOT NULL,
    key          text COLLATE "C" NOT NULL,
    fingerprint  bytea NOT NULL,
    status       smallint NOT NULL,
    location     text,
    etag         text,
    body         text NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);

CREATE INDEX answer_by_age ON answer (recorded_at);
