\set number :number + 1
SELECT status, body
  FROM pay(1, 'key_1', 'run_' || :run::text || '_' || :client_id::text || '_' || :number::text, sha256('none'),
           'account', 'bacc_000000000000000000001p', 100, 'ZAR', NULL, NULL, NULL, NULL, '{}', NULL);
