// What the models of a process share while they load.
#pragma once

#include <functional>
#include <string>

#include "batching/core_budget.h"
#include "batching/share.h"
#include "ort/session.h"

namespace millrace {

struct LoadSurroundings {
  const OrtLibrary& library;
  // Returns the object that divides the time of the device with this name. It must outlive the model.
  std::function<DeviceShare&(const std::string& device)> share;
  CoreBudget cores;
};

}  // namespace millrace
