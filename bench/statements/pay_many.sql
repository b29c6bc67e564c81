\set number :number + 1
\set payer random(1, :payers)
SELECT status, body
  FROM pay(1, 'key_1', 'run_' || :run::text || '_' || :client_id::text || '_' || :number::text, sha256('none'),
           'customer', 'bcus_' || lpad(:payer::text, 21, '0') || 'p', 100, 'ZAR', NULL, NULL, NULL, NULL, '{}', NULL);
