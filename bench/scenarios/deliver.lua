-- POST a webhook as those who deliver do, with a body of 500 bytes: what the receiver alone can take.

dofile(os.getenv("BENCH_SCRIPTS") .. "/common.lua")

function init(args)
  headers["webhook-id"] = "evt_0123456789abcdefghijkl"
  headers["webhook-timestamp"] = "1700000000"
  headers["webhook-signature"] = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="
  whole = wrk.format("POST", "/0", headers, string.rep("x", 500))
end

function request()
  return whole
end
