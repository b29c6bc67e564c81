-- Accounts and bills, and settings that a merchant can change.

CREATE TABLE account (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C" NOT NULL,
    customer_id         text COLLATE "C" NOT NULL,
    name                text,
    payment_rules       json,
    metadata            json,
    -- The obligation: what is owed on the account's balance.
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
    UNIQUE (tenant_id, external_reference),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer
);

-- Nothing here is indexed but what never changes, so that a payment rewrites no index.
CREATE TABLE bill (
    tenant_id           integer NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    external_reference  text COLLATE "C" NOT NULL,
    customer_id         text COLLATE "C" NOT NULL,
    account_id          text COLLATE "C",
    amount_due          integer NOT NULL CHECK (amount_due BETWEEN 1 AND 99999999),
    amount_paid         integer NOT NULL CHECK (amount_paid BETWEEN 0 AND 99999999),
    status              text COLLATE "C" NOT NULL CHECK (status IN ('unpaid', 'paid', 'voided')),
    bill_date           date NOT NULL,
    due_date            date,
    payment_rules       json,
    metadata            json,
    -- The obligation: amount_due less amount_paid, and nothing once the bill is voided.
    currency            text COLLATE "C" NOT NULL,
    total               bigint NOT NULL,
    transfer_version    bigint NOT NULL,
    transfer_hash       bytea NOT NULL,
    transferred_at      timestamptz NOT NULL,
    -- The object.
    version             bigint NOT NULL,
    event_sequence      bigint NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, external_reference),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customer,
    FOREIGN KEY (tenant_id, account_id) REFERENCES account,
    CHECK (status = 'voided' OR (status = 'paid') = (amount_paid >= amount_due)),
    CHECK (total = CASE status WHEN 'voided' THEN 0 ELSE amount_due - amount_paid END)
);

ALTER TABLE tenant
    ADD COLUMN settings_version bigint NOT NULL DEFAULT 1,
    ADD COLUMN settings_updated_at timestamptz NOT NULL DEFAULT now();
