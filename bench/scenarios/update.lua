-- PATCH the balance of one hot customer, the first in the file BENCH_NAMES, to a value that it never had, with a new Idempotency-Key each time.

dofile(os.getenv("BENCH_SCRIPTS") .. "/common.lua")

local run, path = os.getenv("BENCH_RUN"), "/billing/customers/" .. io.lines(os.getenv("BENCH_NAMES"))()
local number, first = 0, tonumber(os.getenv("BENCH_FIRST_BALANCE"))

function request()
  number = number + 1
  headers["Idempotency-Key"] = run .. "_" .. number
  return wrk.format("PATCH", path, headers, string.format('{"balance":%d}', first + number))
end
