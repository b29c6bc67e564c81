-- What the reads of the ledger need. A payment of which nobody says who made it pays for none of it.

-- Entries that are rare among many payments.
CREATE INDEX transfer_by_cause ON transfer (tenant_id, obligation_id, cause, version) WHERE cause <> 'payment';

-- Entries of which somebody said who made them.
CREATE INDEX transfer_attributed ON transfer (tenant_id, obligation_id, version) WHERE attribution_id IS NOT NULL;

-- Count the transfers of an obligation that were recorded before a time, which is also the version of the last of them.
-- Versions have no gaps and times rise with them, so it is found by halves: a million transfers take twenty look-ups.
CREATE FUNCTION transfers_before(tenant integer, obligation text, moment timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    least bigint := 0;
    most bigint := (SELECT max(version) FROM transfer WHERE tenant_id = tenant AND obligation_id = obligation);
    middle bigint;
BEGIN
    WHILE least < most LOOP
        middle := (least + most + 1) / 2;
        IF moment > (SELECT recorded_at FROM transfer
                      WHERE tenant_id = tenant AND obligation_id = obligation AND version = middle) THEN
            least := middle;
        ELSE
            most := middle - 1;
        END IF;
    END LOOP;
    RETURN least;
END
$$;
