-- Reports a LoadResult as one JSON line; os.clock() is the CPU time of the process. The body is in the file that the environment names.
local file = assert(io.open(os.getenv("BENCH_BODY_FILE"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"non2xx":%d,"errors":%d,"cpuSeconds":%.4f,"meanMs":%.4f,"p50Ms":%.4f,"p99Ms":%.4f}\n',
    summary.requests - errors.status, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout, os.clock(),
    latency.mean / 1e3, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
