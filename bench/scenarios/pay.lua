-- POST one of the requests in the file BENCH_NAMES, picked at random: a path and a body on each line. Each has an
-- Idempotency-Key that was never used before, and has it again where {key} stands in the body: BENCH_RUN names this run.

dofile(os.getenv("BENCH_SCRIPTS") .. "/common.lua")

local run, number, requests = os.getenv("BENCH_RUN"), 0, {}

local function key()
  return string.format("%s_%08d", run, number)
end

-- Cut a request where its key stands, so that all another one takes is to be put between the parts.
local function cut(text, mark)
  local parts, from = {}, 1
  repeat
    local at, last = text:find(mark, from, true)
    parts[#parts + 1] = text:sub(from, at and at - 1)
    from = last and last + 1
  until not at
  return parts
end

function init(args)
  math.randomseed(os.time())
  headers["Idempotency-Key"] = key()
  for line in io.lines(os.getenv("BENCH_NAMES")) do
    local path, body = line:match("^(%S+) (.*)$")
    local first = wrk.format("POST", path, headers, (body:gsub("{key}", key())))
    requests[#requests + 1] = cut(first, key())
  end
end

function request()
  number = number + 1
  return table.concat(requests[math.random(#requests)], key())
end
