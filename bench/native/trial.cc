#include "trial.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

namespace millrace::bench {
namespace {

// Kernels sum in another order at another batch size.
constexpr float kTolerance = 1e-3F;

Status ReadReference(const std::string& path, size_t features, Trial& trial) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {Code::kNotFound, "Cannot read the reference file"};
  std::vector<float> values(static_cast<size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(float)));
  if (!file || values.size() <= features) {
    return {Code::kInvalidArgument, "The reference file must hold more than --features numbers"};
  }
  const auto split = values.begin() + static_cast<std::ptrdiff_t>(features);
  trial.features.assign(values.begin(), split);
  trial.scores.assign(split, values.end());
  return {};
}

long ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  long total = 0;
  long resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

}  // namespace

Status ReadTrial(int argc, char** argv, Trial& trial) {
  std::map<std::string, std::string> flags;
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  for (const char* name : {"--library", "--model", "--reference", "--features", "--width",
                           "--max-rows", "--instances", "--threads", "--seconds"}) {
    if (!flags.contains(name)) return {Code::kInvalidArgument, std::string(name) + " is missing"};
  }
  const auto number = [&flags](const char* name) { return std::atoll(flags[name].c_str()); };
  trial.library = flags["--library"];
  trial.model = flags["--model"];
  trial.width = number("--width");
  trial.max_rows = number("--max-rows");
  trial.instances = static_cast<uint32_t>(number("--instances"));
  trial.sessions = flags.contains("--sessions") ? static_cast<uint32_t>(number("--sessions")) : 1;
  trial.intra_op_threads = static_cast<int>(number("--threads"));
  trial.seconds = std::atof(flags["--seconds"].c_str());
  const auto features = static_cast<size_t>(number("--features"));
  if (trial.width < 1 || trial.max_rows < 1 || trial.instances < 1 || trial.sessions < 1 ||
      features < 1) {
    return {Code::kInvalidArgument, "Every count must be at least 1"};
  }
  return ReadReference(flags["--reference"], features, trial);
}

Status CheckRows(const Trial& trial, std::span<const float> outputs) {
  const size_t columns = trial.scores.size();
  if (outputs.size() % columns != 0) return {Code::kInternal, "The output has a wrong size"};
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!(std::fabs(outputs[i] - trial.scores[i % columns]) <= kTolerance)) {
      return {Code::kInternal, "Row " + std::to_string(i / columns) + " is not the expected output"};
    }
  }
  return {};
}

Instant Now() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  const auto wall = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration<double>(wall).count(), seconds(use.ru_utime) + seconds(use.ru_stime)};
}

void Report(double items_per_second, const Instant& start, const Instant& end) {
  std::printf(
      "{\"items_per_second\":%.3f,\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"resident_bytes\":%ld}\n",
      items_per_second, end.wall - start.wall, end.cpu - start.cpu, ResidentBytes());
}

int Main(int argc, char** argv, Status (*body)(const Trial&, const OrtLibrary&)) {
  Trial trial;
  const OrtLibrary* library = nullptr;
  Status status = ReadTrial(argc, argv, trial);
  if (status.ok()) status = OpenOrtLibrary(trial.library, library);
  if (status.ok()) status = body(trial, *library);
  if (!status.ok()) std::fprintf(stderr, "%s: %s\n", argv[0], status.message().c_str());
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace millrace::bench
