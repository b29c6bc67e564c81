-- Money that does not fit: received and unallocated, moved, charged and credited, and put right.

-- Of the allocation, move, charge or credit that a transfer is of.
ALTER TABLE transfer ADD COLUMN document_id text COLLATE "C";

-- The payment just before it that looks the same; and what an object was paid of late, for others to be compared with.
ALTER TABLE payment ADD COLUMN possible_duplicate_of text COLLATE "C";
ALTER TABLE customer ADD COLUMN recent_payments json;
ALTER TABLE account ADD COLUMN recent_payments json;
ALTER TABLE bill ADD COLUMN recent_payments json;

-- How many transfers a request applied on top of a balance that was of an earlier time: a replay says so too.
ALTER TABLE answer ADD COLUMN reapplied bigint;

-- Count the transfers of an obligation that stood at a time, which is also the version of the last of them. What was
-- passed on at once never stood without what passed it on, which is recorded a microsecond later.
CREATE FUNCTION transfers_by(tenant integer, obligation text, moment timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    found bigint := transfers_before(tenant, obligation, moment + interval '1 microsecond');
BEGIN
    RETURN found + (SELECT count(*) FROM transfer
                     WHERE tenant_id = tenant AND obligation_id = obligation AND version = found + 1
                       AND cause = 'passed_on');
END
$$;

-- Charges and credits, each on one object: what raises what is owed there by an amount, and what lowers it.
CREATE TABLE charge (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    object_id           text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C",
    amount              bigint NOT NULL CHECK (amount BETWEEN 1 AND 999999999999),
    currency            text COLLATE "C" NOT NULL,
    reason              text,
    total_after         bigint NOT NULL,
    metadata            json,
    occurred_at         timestamptz NOT NULL,
    created_at          timestamptz NOT NULL,
    reversed_at         timestamptz,
    version             bigint NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK ((reversed_at IS NULL) = (version = 1))
);

CREATE TABLE credit (LIKE charge INCLUDING ALL);

-- Prepaid consumption comes by the million, and mostly with no reference.
CREATE UNIQUE INDEX charge_by_reference ON charge (tenant_id, external_reference) WHERE external_reference IS NOT NULL;
CREATE UNIQUE INDEX credit_by_reference ON credit (tenant_id, external_reference) WHERE external_reference IS NOT NULL;

ALTER TABLE charge
    ADD COLUMN floor bigint,
    ADD CHECK (NOT starts_with(object_id, 'bill_'));

ALTER TABLE credit
    ADD COLUMN type text COLLATE "C" CHECK (type IN ('credit_note', 'discount', 'write_off')),
    ADD CHECK (starts_with(object_id, 'bill_') = (type IS NOT NULL));

-- What of amount_paid nobody paid: the credits that stand.
ALTER TABLE bill
    ADD COLUMN amount_credited integer NOT NULL DEFAULT 0,
    ADD CHECK (amount_credited BETWEEN 0 AND least(amount_due, amount_paid - amount_received));

-- The audit log is read by each of these, newest first. New records come at the end of what has their value.
CREATE INDEX attribution_by_object ON attribution (tenant_id, object_id, id);
CREATE INDEX attribution_by_actor ON attribution (tenant_id, actor COLLATE "C", id);
CREATE INDEX attribution_by_command ON attribution (tenant_id, command, id);
CREATE INDEX attribution_by_key ON attribution (tenant_id, key_id, id);

-- Money that was received and may fit nothing. What of a payment is applied to nothing is an obligation of the
-- merchant's: its total is never above zero, and its transfers are under the id of the payment.
ALTER TABLE payment
    ADD COLUMN is_received boolean NOT NULL DEFAULT false,
    ADD COLUMN rule_breaches json,
    ADD COLUMN unallocated_customer_id text COLLATE "C",
    ADD COLUMN unallocated_total bigint NOT NULL DEFAULT 0,
    ADD COLUMN unallocated_version bigint NOT NULL DEFAULT 0,
    ADD COLUMN unallocated_hash bytea NOT NULL DEFAULT '',
    ADD COLUMN unallocated_transferred_at timestamptz,
    ADD CHECK (unallocated_total <= 0 AND amount_refunded + amount_reversed - unallocated_total <= amount);

-- A payment that was applied whole is in none of these: it costs nothing to look for those that were not.
CREATE INDEX payment_unallocated ON payment (tenant_id, id) WHERE unallocated_total < 0;
CREATE INDEX payment_unallocated_of_customer ON payment (tenant_id, unallocated_customer_id, id)
    WHERE unallocated_total < 0;
CREATE INDEX payment_with_transfers ON payment (tenant_id, id) WHERE unallocated_version > 0;

ALTER TABLE refund
    ADD COLUMN amount_unallocated bigint NOT NULL DEFAULT 0 CHECK (amount_unallocated BETWEEN 0 AND amount);
ALTER TABLE reversal
    ADD COLUMN amount_unallocated bigint NOT NULL DEFAULT 0 CHECK (amount_unallocated BETWEEN 0 AND amount);

CREATE TABLE allocation (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    payment_id          text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C",
    amount              bigint NOT NULL CHECK (amount BETWEEN 1 AND 999999999999),
    currency            text COLLATE "C" NOT NULL,
    reason              text,
    applications        json NOT NULL,
    metadata            json,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_reference),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment
);

-- Where money was, and where it is; without applications it is unallocated.
CREATE TABLE move (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    payment_id          text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C",
    amount              bigint NOT NULL CHECK (amount BETWEEN 1 AND 999999999999),
    currency            text COLLATE "C" NOT NULL,
    reason              text,
    origin              json NOT NULL,
    applications        json NOT NULL,
    metadata            json,
    created_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_reference),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES payment
);

-- Entries of a time, among all: they are in the order of their recording as they lie, and so this is all but nothing.
CREATE INDEX transfer_by_time ON transfer USING brin (recorded_at) WITH (autosummarize = on);

-- Whose statements tell of what a payment left, or had left once.
CREATE INDEX payment_left_to_customer ON payment (tenant_id, unallocated_customer_id, id) WHERE unallocated_version > 0;

-- Who was erased: each object, a customer or an account, with what it went by until nothing is left of that either.
CREATE TABLE erasure (
    tenant_id         integer NOT NULL,
    id                text COLLATE "C" NOT NULL,
    reference         text COLLATE "C",
    up_to             bigint NOT NULL,  -- the sequence of the last of its events that may tell of the person
    erased_at         timestamptz NOT NULL,
    version           bigint NOT NULL,
    -- How far its past is redacted: its events up to this sequence, all of them since this time, and, of the erasure
    -- with this version, stored answers too.
    redacted_to       bigint NOT NULL DEFAULT 0,
    redacted_at       timestamptz,
    finished_version  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id)
);

CREATE INDEX erasure_unfinished ON erasure (tenant_id, id) WHERE finished_version < version;
CREATE INDEX erasure_redacted ON erasure (tenant_id, redacted_at);
