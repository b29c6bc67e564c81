-- POST a customer with a reference and an Idempotency-Key that were never used before: BENCH_RUN names this run.

dofile(os.getenv("BENCH_SCRIPTS") .. "/common.lua")

local run, number = os.getenv("BENCH_RUN"), 0

local body = '{"external_reference":"%s","name":"John Doe","email":"john.doe.%d@example.com","phone":"+27%09d",'
  .. '"currency":"ZAR","balance":2000,"payment_rules":{"min_amount":100,"max_amount":1000000,'
  .. '"underpayment_allowed":true,"overpayment_allowed":false},'
  .. '"metadata":{"customer_type":"premium","registration_source":"website"}}'

function request()
  number = number + 1
  local reference = run .. "_" .. number
  headers["Idempotency-Key"] = reference
  return wrk.format("POST", "/billing/customers", headers, string.format(body, reference, number, number))
end
