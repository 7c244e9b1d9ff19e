// The thread that makes all of one GPU's calls into ONNX Runtime.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace millrace {

// The CUDA provider keeps its handles and recorded graphs for each thread that runs it, and recording and replaying
// must not overlap. With one thread for both, requests use what was warmed at load. The thread also frees the worker
// for the next batch's copies while kernels are queued.
class DeviceThread {
 public:
  DeviceThread();
  // Runs the work that was posted, and then ends the thread.
  ~DeviceThread();
  DeviceThread(const DeviceThread&) = delete;
  DeviceThread& operator=(const DeviceThread&) = delete;

  // Runs `work`, which must not throw, after the work that was posted before. Does not wait for it.
  void Post(std::function<void()> work);
  // Posts `work`, waits for its end, and throws what it throws. Must not be called on the thread itself.
  void Call(const std::function<void()>& work);

 private:
  void Loop();

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> work_;  // guarded by mutex_
  bool ending_ = false;                     // guarded by mutex_
  std::thread thread_;                      // last, because it uses the others
};

}  // namespace millrace
