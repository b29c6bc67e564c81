-- The payment of one customer's balance, one account's balance or one bill, as one function: it locks the row, decides, and
-- writes all that a payment leaves behind. It is what the tuned stack and pgbench call.
--
-- Returned is the status to answer with and the body: 201 and the payment, 404, 409 and the payment that has the reference,
-- 422 and the first rule that refuses; or what was kept for the key, `replayed` then.
CREATE FUNCTION pay(
    tenant integer, actor_key text, idempotency_key text, asked bytea, kind text, target text, sum bigint,
    sum_currency text, reference text, by_channel text, by_method text, provider text, attributes jsonb,
    paid timestamptz, OUT status smallint, OUT location text, OUT etag text, OUT body text, OUT fingerprint bytea,
    OUT replayed boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    now_at      timestamptz;
    made        text := 'pay_' || replace(uuidv7()::text, '-', '');
    applied     text := 'ob_' || replace(uuidv7()::text, '-', '');
    moved       text := 'tra_' || replace(uuidv7()::text, '-', '');
    clearing    text := CASE WHEN by_channel IS NULL THEN 'clearing' ELSE 'clearing:' || by_channel END;
    owner       text;
    on_account  text;
    own         text;
    rules       jsonb;
    previous    bytea;
    owed        bigint;
    total       bigint;
    room        bigint;
    tracked     boolean := true;
    voided      boolean := false;
    shown_at    text;
    link        bytea;
    settled     text;
BEGIN
    SELECT answer.status, answer.location, answer.etag, answer.body, answer.fingerprint, true
      INTO status, location, etag, body, fingerprint, replayed
      FROM answer WHERE tenant_id = tenant AND key = idempotency_key;
    IF FOUND THEN
        RETURN;
    END IF;
    replayed := false;

    IF kind = 'customer' THEN
        SELECT id, currency, payment_rules, chain, balance, balance IS NOT NULL
          INTO owner, own, rules, previous, total, tracked
          FROM customer WHERE tenant_id = tenant AND id = target FOR NO KEY UPDATE;
    ELSIF kind = 'account' THEN
        SELECT customer_id, id, currency, payment_rules, chain, balance, balance IS NOT NULL
          INTO owner, on_account, own, rules, previous, total, tracked
          FROM account WHERE tenant_id = tenant AND id = target FOR NO KEY UPDATE;
    ELSE
        SELECT customer_id, account_id, currency, payment_rules, chain, amount_due - amount_paid, bill.status = 'voided',
               99999999 - amount_paid
          INTO owner, on_account, own, rules, previous, total, voided, room
          FROM bill WHERE tenant_id = tenant AND id = target FOR NO KEY UPDATE;
    END IF;
    IF owner IS NULL THEN
        status := 404;
        RETURN;
    END IF;

    IF reference IS NOT NULL THEN
        SELECT id INTO body FROM payment
         WHERE tenant_id = tenant AND external_reference = reference AND coalesce(channel, '') = coalesce(by_channel, '');
        IF FOUND THEN
            status := 409;
            RETURN;
        END IF;
    END IF;

    owed := greatest(0, coalesce(total, 0));
    room := coalesce(room, 9007199254740991 + coalesce(total, 0));
    body := CASE
        WHEN voided THEN 'voided'
        WHEN sum_currency IS DISTINCT FROM own THEN 'currency'
        WHEN sum < (rules ->> 'min_amount')::bigint AND sum <> owed THEN 'min_amount'
        WHEN sum > least(room, (rules ->> 'max_amount')::bigint) THEN 'max_amount'
        WHEN tracked AND sum > owed AND NOT (rules ->> 'overpayment_allowed')::boolean THEN 'overpayment_allowed'
        WHEN tracked AND sum < owed AND NOT (rules ->> 'underpayment_allowed')::boolean THEN 'underpayment_allowed'
    END;
    IF body IS NOT NULL THEN
        status := 422;
        RETURN;
    END IF;

    now_at := clock_timestamp();  -- not when the transaction began: it may have waited for the lock
    shown_at := to_char(now_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
    total := total - sum;
    link := sha256(coalesce(previous, '') || convert_to(concat_ws('|', moved, target, -sum, own, total, clearing,
                   'receivable', 'payment', actor_key, made, shown_at), 'UTF8'));
    IF kind = 'customer' THEN
        UPDATE customer SET balance = total, chain = link, version = version + 1, updated_at = now_at
         WHERE tenant_id = tenant AND id = target;
    ELSIF kind = 'account' THEN
        UPDATE account SET balance = total, chain = link, version = version + 1, updated_at = now_at
         WHERE tenant_id = tenant AND id = target;
    ELSE
        UPDATE bill
           SET amount_paid = amount_paid + sum, chain = link, version = version + 1, updated_at = now_at,
               status = CASE WHEN amount_paid + sum >= amount_due THEN 'paid' ELSE 'unpaid' END
         WHERE tenant_id = tenant AND id = target
        RETURNING CASE WHEN amount_paid - sum < amount_due AND amount_due <= amount_paid THEN
                      json_strip_nulls(json_build_object(
                          'id', id, 'external_reference', external_reference, 'customer_id', customer_id,
                          'account_id', account_id, 'status', bill.status, 'currency', currency,
                          'amount_due', amount_due, 'amount_paid', amount_paid, 'amount_remaining', 0,
                          'bill_date', bill_date, 'due_date', due_date, 'payment_rules', payment_rules,
                          'metadata', nullif(metadata, '{}')))::text
                  END INTO settled;
    END IF;

    INSERT INTO payment (tenant_id, id, external_reference, channel, method, provider_reference, status, amount, currency,
                         amount_refunded, amount_reversed, metadata, version, paid_at, created_at, updated_at)
    VALUES (tenant, made, reference, by_channel, by_method, provider, 'succeeded', sum, sum_currency, 0, 0, attributes, 1,
            coalesce(paid, now_at), now_at, now_at);
    INSERT INTO application (tenant_id, id, payment_id, position, customer_id, account_id, bill_id, amount, taken_back)
    VALUES (tenant, applied, made, 0, CASE kind WHEN 'customer' THEN target END, CASE kind WHEN 'account' THEN target END,
            CASE kind WHEN 'bill' THEN target END, sum, 0);
    INSERT INTO transfer (tenant_id, customer_id, account_id, bill_id, id, amount, currency, total_after, debit, credit,
                          cause, key_id, recorded_at, payment_id, hash)
    VALUES (tenant, owner, on_account, CASE kind WHEN 'bill' THEN target END, moved, -sum, own, total, clearing,
            'receivable', 'payment', actor_key, now_at, made, link);

    INSERT INTO event (tenant_id, id, object_id, type, body, recorded_at)
    VALUES (tenant, 'evt_' || replace(uuidv7()::text, '-', ''), target, 'obligation.amount_applied',
            json_build_object('id', applied, 'amount', sum, 'currency', own, 'payment_id', made, kind || '_id', target,
                              'metadata', attributes, 'created_at', shown_at, 'updated_at', shown_at)::text, now_at);
    IF settled IS NOT NULL THEN
        INSERT INTO event (tenant_id, id, object_id, type, body, recorded_at)
        VALUES (tenant, 'evt_' || replace(uuidv7()::text, '-', ''), target, 'bill.paid', settled, now_at);
    END IF;

    status := 201;
    location := '/billing/payments/' || made;
    etag := '"1"';
    body := json_strip_nulls(json_build_object(
        'id', made, 'status', 'succeeded', 'amount', sum, 'amount_refunded', 0, 'amount_reversed', 0,
        'amount_unallocated', 0, 'currency', own, kind || '_id', target,
        'applications', json_build_array(json_build_object('id', applied, 'amount', sum, kind || '_id', target)),
        'external_reference', reference, 'channel', by_channel, 'method', by_method, 'provider_reference', provider,
        'metadata', nullif(attributes, '{}'),
        'paid_at', to_char(coalesce(paid, now_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'created_at', shown_at))::text;
    INSERT INTO answer (tenant_id, key, fingerprint, status, location, etag, body, recorded_at)
    VALUES (tenant, idempotency_key, asked, status, location, etag, body, now_at);
    fingerprint := asked;
END
$$;
