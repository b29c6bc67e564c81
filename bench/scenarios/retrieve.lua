-- GET one customer, at random among those whose ids or references stand in the file BENCH_NAMES.

dofile(os.getenv("BENCH_SCENARIOS") .. "/common.lua")

local requests = {}

function init(args)
  math.randomseed(os.time())
  for name in io.lines(os.getenv("BENCH_NAMES")) do
    requests[#requests + 1] = wrk.format("GET", "/billing/customers/" .. name, headers)
  end
end

function request()
  return requests[math.random(#requests)]
end
