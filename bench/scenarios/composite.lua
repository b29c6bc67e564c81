-- POST a bill that brings a new account, which brings a new customer, all with references and an Idempotency-Key that
-- were never used before: BENCH_RUN names this run.

dofile(os.getenv("BENCH_SCRIPTS") .. "/common.lua")

local run, number = os.getenv("BENCH_RUN"), 0

local rules = '"payment_rules":{"min_amount":100,"max_amount":1000000,"underpayment_allowed":true,'
  .. '"overpayment_allowed":false}'

local customer = '{"external_reference":"%s","name":"John Doe","email":"john.doe.%d@example.com","phone":"+27%09d",'
  .. '"currency":"ZAR","balance":2000,' .. rules
  .. ',"metadata":{"customer_type":"premium","registration_source":"website"}}'

local account = '{"external_reference":"%s","customer":' .. customer .. ',"name":"Electricity","currency":"ZAR",'
  .. '"balance":1500,' .. rules .. ',"metadata":{"meter":"A-17"}}'

local body = '{"external_reference":"%s","account":' .. account .. ',"currency":"ZAR","amount_due":25000,'
  .. '"bill_date":"2026-01-01","due_date":"2026-01-31",' .. rules .. ',"metadata":{"period":"2026-01"}}'

function request()
  number = number + 1
  local reference = run .. "_" .. number
  headers["Idempotency-Key"] = reference
  return wrk.format("POST", "/billing/bills", headers,
    string.format(body, reference, reference, reference, number, number))
end
