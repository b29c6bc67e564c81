-- GET BENCH_PATH and a name, at random among the ids or references that stand in the file BENCH_NAMES.

dofile(os.getenv("BENCH_SCRIPTS") .. "/common.lua")

local requests, path = {}, os.getenv("BENCH_PATH")

function init(args)
  math.randomseed(os.time())
  for name in io.lines(os.getenv("BENCH_NAMES")) do
    requests[#requests + 1] = wrk.format("GET", path .. name, headers)
  end
end

function request()
  return requests[math.random(#requests)]
end
