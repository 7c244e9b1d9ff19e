// What the native contenders share: their command line, the expected output, and the report.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "batching/status.h"
#include "batching/tensor.h"
#include "ort/api.h"

namespace millrace::bench {

struct Trial {
  std::string library;
  std::string model;
  // Rows in a run (raw), or requests in flight (native-driver).
  int64_t width = 1;
  int64_t max_rows = 1;
  uint32_t instances = 1;
  // Raw only: sessions that the workers share out among them.
  uint32_t sessions = 1;
  int intra_op_threads = 1;
  double seconds = 1;
  // One row of input and the scores expected for it.
  std::vector<float> features;
  std::vector<float> scores;
};

// Reads `--library F --model F --reference F --features N --width N --max-rows N --instances N
// --threads N --seconds S [--sessions N]`; the reference file holds the row of input, then the scores, as float32.
Status ReadTrial(int argc, char** argv, Trial& trial);

// kInternal unless every row of `outputs`, one after the other, is the expected one.
Status CheckRows(const Trial& trial, std::span<const float> outputs);

// Monotonic time and the CPU time of the process, seconds.
struct Instant {
  double wall = 0;
  double cpu = 0;
};
Instant Now();

// Prints the one JSON line that the harness reads, with the memory that is in use now.
void Report(double items_per_second, const Instant& start, const Instant& end);

// Runs `body` on the parsed command line and turns its status into an exit code and a message.
int Main(int argc, char** argv, Status (*body)(const Trial&, const OrtLibrary&));

}  // namespace millrace::bench
