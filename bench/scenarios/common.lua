-- What every scenario shares: headers, the pace when one is asked for, and a result that a program can read.

headers = {
  ["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY"),
  ["Content-Type"] = "application/json",
}

-- wrk sends as fast as answers come. With BENCH_RATE (requests a second) requests get slots on a clock instead, and a
-- connection that is free takes the next one: an answer that is late does not slow those after it, while any is free.
local rate = tonumber(os.getenv("BENCH_RATE") or "0")

if rate > 0 then
  local ffi = require("ffi")
  ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now);")
  local moment = ffi.new("moment")

  local function milliseconds()
    ffi.C.clock_gettime(1, moment)
    return tonumber(moment.s) * 1e3 + tonumber(moment.ns) / 1e6
  end

  local slot

  function delay()
    local now = milliseconds()
    slot = (slot or now) + 1e3 / rate
    return math.max(0, math.floor(slot - now))
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
