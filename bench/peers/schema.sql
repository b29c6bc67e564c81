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
    chain               bytea,
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

CREATE TABLE account (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C" NOT NULL,
    customer_id         text COLLATE "C" NOT NULL,
    name                text,
    currency            text COLLATE "C",
    balance             bigint,
    payment_rules       jsonb NOT NULL,
    metadata            jsonb NOT NULL,
    chain               bytea,
    version             bigint NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    words               tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple',
                            coalesce(name, '') || ' ' || external_reference)) STORED,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_reference),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer
);

CREATE INDEX account_by_customer ON account (tenant_id, customer_id, id);
CREATE INDEX account_by_currency ON account (tenant_id, currency, id);
CREATE INDEX account_by_metadata ON account USING gin (metadata jsonb_path_ops);
CREATE INDEX account_by_words ON account USING gin (words);

CREATE TABLE bill (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C" NOT NULL,
    customer_id         text COLLATE "C" NOT NULL,
    account_id          text COLLATE "C",
    status              text COLLATE "C" NOT NULL,
    currency            text COLLATE "C" NOT NULL,
    amount_due          bigint NOT NULL,
    amount_paid         bigint NOT NULL,
    bill_date           date NOT NULL,
    due_date            date,
    payment_rules       jsonb NOT NULL,
    metadata            jsonb NOT NULL,
    chain               bytea,
    version             bigint NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    words               tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', external_reference)) STORED,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_reference),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer,
    FOREIGN KEY (tenant_id, account_id) REFERENCES account
);

CREATE INDEX bill_by_customer ON bill (tenant_id, customer_id, id);
CREATE INDEX bill_by_account ON bill (tenant_id, account_id, id);
CREATE INDEX bill_by_currency ON bill (tenant_id, currency, id);
CREATE INDEX bill_by_status ON bill (tenant_id, status, id);
CREATE INDEX bill_by_due_date ON bill (tenant_id, due_date, id);
CREATE INDEX bill_by_metadata ON bill USING gin (metadata jsonb_path_ops);
CREATE INDEX bill_by_words ON bill USING gin (words);

-- What a customer owes, and what came in of it: on the balance itself, or on an account or a bill that is the customer's.
CREATE TABLE transfer (
    tenant_id    integer NOT NULL,
    customer_id  text COLLATE "C" NOT NULL,
    account_id   text COLLATE "C",
    bill_id      text COLLATE "C",
    id           text COLLATE "C" NOT NULL,
    amount       bigint NOT NULL,
    currency     text NOT NULL,
    total_after  bigint NOT NULL,
    debit        text NOT NULL,
    credit       text NOT NULL,
    cause        text NOT NULL,
    key_id       text NOT NULL,
    recorded_at  timestamptz NOT NULL,
    payment_id   text COLLATE "C",
    refund_id    text COLLATE "C",
    hash         bytea,
    PRIMARY KEY (tenant_id, customer_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer,
    FOREIGN KEY (tenant_id, account_id) REFERENCES account,
    FOREIGN KEY (tenant_id, bill_id) REFERENCES bill
);

CREATE TABLE payment (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C",
    channel             text COLLATE "C",
    method              text COLLATE "C",
    provider_reference  text,
    status              text COLLATE "C" NOT NULL,
    amount              bigint NOT NULL,
    currency            text COLLATE "C" NOT NULL,
    amount_refunded     bigint NOT NULL,
    amount_reversed     bigint NOT NULL,
    metadata            jsonb NOT NULL,
    version             bigint NOT NULL,
    paid_at             timestamptz NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE UNIQUE INDEX payment_by_reference ON payment (tenant_id, external_reference, coalesce(channel, ''))
    WHERE external_reference IS NOT NULL;
CREATE INDEX payment_by_status ON payment (tenant_id, status, id);
CREATE INDEX payment_by_channel ON payment (tenant_id, channel, id) WHERE channel IS NOT NULL;
CREATE INDEX payment_by_method ON payment (tenant_id, method, id) WHERE method IS NOT NULL;
CREATE INDEX payment_by_time ON payment (tenant_id, paid_at, id);
CREATE INDEX payment_by_metadata ON payment USING gin (metadata jsonb_path_ops) WHERE metadata <> '{}';

-- What of a payment was applied to a customer's balance, an account's balance, or a bill: exactly one of them.
CREATE TABLE application (
    tenant_id    integer NOT NULL,
    id           text COLLATE "C" NOT NULL,
    payment_id   text COLLATE "C" NOT NULL,
    position     smallint NOT NULL,
    customer_id  text COLLATE "C",
    account_id   text COLLATE "C",
    bill_id      text COLLATE "C",
    amount       bigint NOT NULL,
    taken_back   bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, payment_id, position),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment
);

CREATE INDEX application_by_customer ON application (tenant_id, customer_id, payment_id) WHERE customer_id IS NOT NULL;
CREATE INDEX application_by_account ON application (tenant_id, account_id, payment_id) WHERE account_id IS NOT NULL;
CREATE INDEX application_by_bill ON application (tenant_id, bill_id, payment_id) WHERE bill_id IS NOT NULL;

CREATE TABLE refund (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    payment_id          text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C",
    amount              bigint NOT NULL,
    currency            text COLLATE "C" NOT NULL,
    reason              text,
    metadata            jsonb NOT NULL,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_reference),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment
);

CREATE INDEX refund_by_payment ON refund (tenant_id, payment_id, id);

CREATE TABLE event (
    tenant_id    integer NOT NULL,
    id           text COLLATE "C" NOT NULL,
    object_id    text COLLATE "C" NOT NULL,
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
