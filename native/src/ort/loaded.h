// What a load returns, whatever the device.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "batching/clock.h"
#include "batching/executor.h"
#include "ort/placement.h"

namespace millrace {

// Facts that a load found out. Sentences in it name no file and no address.
struct DeviceReport {
  // Where the model is, such as `cuda:0`; with several copies, `cuda:all`.
  std::string device;
  // Why that is not the device asked for, with `auto`; else empty.
  std::string fallback;
  // What was turned off or left undone, and why.
  std::vector<std::string> notes;
  // Nodes of the optimised model; empty where no run was profiled.
  std::vector<NodePlacement> nodes;
  // Device shapes in ascending size: what one warm run took, and whether a graph is replayed.
  struct WarmShape {
    std::vector<Shape> inputs;
    Nanos cost = 0;
    bool graph = false;
  };
  std::vector<WarmShape> shapes;
};

class LoadedExecutor : public Executor {
 public:
  virtual const Signature& signature() const noexcept = 0;
  virtual const DeviceReport& report() const noexcept = 0;

  // False once the device is lost: every run fails with kUnavailable from then on.
  virtual bool healthy() const noexcept { return true; }
};

}  // namespace millrace
