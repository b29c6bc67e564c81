-- PATCH the balance of one hot customer, BENCH_HOT, to a value that it never had, with a new Idempotency-Key each time.

dofile(os.getenv("BENCH_SCENARIOS") .. "/common.lua")

local run, path = os.getenv("BENCH_RUN"), "/billing/customers/" .. os.getenv("BENCH_HOT")
local number, first = 0, tonumber(os.getenv("BENCH_FIRST_BALANCE"))

function request()
  number = number + 1
  headers["Idempotency-Key"] = run .. "_" .. number
  return wrk.format("PATCH", path, headers, string.format('{"balance":%d}', first + number))
end
