-- POST a bill on an account, at random among those in the file BENCH_NAMES, with a reference and an Idempotency-Key that
-- were never used before: BENCH_RUN names this run.

dofile(os.getenv("BENCH_SCRIPTS") .. "/common.lua")

local run, number, accounts = os.getenv("BENCH_RUN"), 0, {}

local body = '{"external_reference":"%s","account":"%s","currency":"ZAR","amount_due":25000,"bill_date":"2026-01-01",'
  .. '"due_date":"2026-01-31","payment_rules":{"min_amount":100,"max_amount":25000,"underpayment_allowed":true,'
  .. '"overpayment_allowed":false},"metadata":{"period":"2026-01","meter":"A-17"}}'

function init(args)
  math.randomseed(os.time())
  for name in io.lines(os.getenv("BENCH_NAMES")) do
    accounts[#accounts + 1] = name
  end
end

function request()
  number = number + 1
  local reference = run .. "_" .. number
  headers["Idempotency-Key"] = reference
  local filled = string.format(body, reference, accounts[math.random(#accounts)])
  return wrk.format("POST", "/billing/bills", headers, filled)
end
