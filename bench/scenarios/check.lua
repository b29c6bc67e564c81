-- POST one of the requests in the file BENCH_NAMES, picked at random: a path and a body on each line.

dofile(os.getenv("BENCH_SCRIPTS") .. "/common.lua")

local requests = {}

function init(args)
  math.randomseed(os.time())
  for line in io.lines(os.getenv("BENCH_NAMES")) do
    local path, body = line:match("^(%S+) (.*)$")
    requests[#requests + 1] = wrk.format("POST", path, headers, body)
  end
end

function request()
  return requests[math.random(#requests)]
end
