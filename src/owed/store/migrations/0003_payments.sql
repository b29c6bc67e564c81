-- Payments, and what takes them back.

-- A payment is one row, with all that it was applied to: it is written once, read as a whole, and its applications are
-- found by the search terms and the transfers of the obligations.
CREATE TABLE payment (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C",
    channel             text COLLATE "C",
    method              text COLLATE "C",
    provider_reference  text,
    amount              bigint NOT NULL CHECK (amount BETWEEN 1 AND 999999999999),
    currency            text COLLATE "C" NOT NULL,
    metadata            json,
    paid_at             timestamptz NOT NULL,
    created_at          timestamptz NOT NULL,
    applications        json NOT NULL,
    amount_refunded     bigint NOT NULL CHECK (amount_refunded >= 0),
    amount_reversed     bigint NOT NULL CHECK (amount_reversed >= 0),
    last_taken_back     text COLLATE "C" CHECK (last_taken_back IN ('refund', 'reversal')),
    version             bigint NOT NULL,
    updated_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK (amount_refunded + amount_reversed <= amount),
    CHECK ((last_taken_back IS NULL) = (amount_refunded + amount_reversed = 0))
);

-- A reference is unique in its channel; that there is none counts as one.
CREATE UNIQUE INDEX payment_by_reference ON payment (tenant_id, external_reference, coalesce(channel, ''))
    WHERE external_reference IS NOT NULL;

CREATE TABLE refund (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    payment_id          text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C",
    amount              bigint NOT NULL CHECK (amount BETWEEN 1 AND 999999999999),
    currency            text COLLATE "C" NOT NULL,
    reason              text,
    applications        json NOT NULL,
    metadata            json,
    occurred_at         timestamptz NOT NULL,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_reference),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment
);

CREATE TABLE reversal (
    LIKE refund INCLUDING ALL,
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment
);

ALTER TABLE bill
    ADD COLUMN amount_received integer NOT NULL DEFAULT 0,
    ADD CHECK (amount_received BETWEEN 0 AND amount_paid);

ALTER TABLE transfer
    ADD COLUMN payment_id text COLLATE "C",
    ADD COLUMN taken_back_id text COLLATE "C";
