// The result of a load, for every kind of device.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "batching/clock.h"
#include "batching/executor.h"
#include "ort/placement.h"

namespace millrace {

// What is known about a model after its load. No sentence in it contains a path or an address.
struct DeviceReport {
  // The device of the model, such as `cuda:0`, or `cuda:all` if each GPU has a copy.
  std::string device;
  // With `auto`: why another device was chosen. Otherwise empty.
  std::string fallback;
  // Sentences that say what was turned off, and why.
  std::vector<std::string> notes;
  // The nodes of the optimised model. Empty if no run was profiled.
  std::vector<NodePlacement> nodes;
  // The device shapes in ascending size, with the time of a run after the first, and whether a graph is replayed.
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

  // Returns false once the device is lost. Every later run fails with kUnavailable.
  virtual bool healthy() const noexcept { return true; }
};

}  // namespace millrace
