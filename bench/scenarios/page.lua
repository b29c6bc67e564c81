-- GET the newest twenty customers.

dofile(os.getenv("BENCH_SCRIPTS") .. "/common.lua")

local asked

function init(args)
  asked = wrk.format("GET", "/billing/customers?limit=20", headers)
end

function request()
  return asked
end
