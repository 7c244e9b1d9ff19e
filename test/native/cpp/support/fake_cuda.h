// A table of functions that plays the CUDA runtime, as late as it may.
#pragma once

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "ort/cuda_runtime.h"

namespace millrace::test {

// A GPU's memory is the process's. What is queued on a stream happens only when somebody waits for it,
// so that whoever reads what he has not waited for reads what was there before.
//
// There is one, since functions of a table have no object; a test starts with Reset.
class FakeCuda {
 public:
  static FakeCuda& Get() {
    static FakeCuda fake;
    return fake;
  }
  static const CudaRuntime& Table() {
    static const CudaRuntime table = MakeTable();
    return table;
  }

  void Reset(int gpus = 1) {
    const std::lock_guard lock(mutex_);
    gpus_ = gpus;
    failures_.clear();
    calls_.clear();
    lost_.clear();
    memory_left_ = SIZE_MAX;
    pinned_left_ = SIZE_MAX;
  }

  // Makes calls of `function` (`MemcpyAsync`) fail, all or the next `times`.
  void Fail(const std::string& function, CudaError error, int times = -1) {
    const std::lock_guard lock(mutex_);
    failures_[function] = {error, times};
  }
  // Bytes that Malloc and HostAlloc still give.
  void LimitMemory(size_t device, size_t pinned) {
    const std::lock_guard lock(mutex_);
    memory_left_ = device;
    pinned_left_ = pinned;
  }
  // The GPU faults: every call that concerns it fails, for ever.
  void Lose(int gpu) {
    const std::lock_guard lock(mutex_);
    lost_.insert(gpu);
  }
  size_t calls(const std::string& function) {
    const std::lock_guard lock(mutex_);
    return calls_[function];
  }
  // What was allocated or made and not freed.
  size_t live() {
    const std::lock_guard lock(mutex_);
    return live_;
  }

 private:
  static constexpr CudaError kOutOfMemory = 2;
  static constexpr CudaError kLaunchFailure = 719;

  struct Failure {
    CudaError error = 0;
    int times = 0;
  };
  struct Stream {
    int gpu = 0;
    std::deque<std::function<void()>> work;
    size_t done = 0;
  };
  // A place in a stream.
  struct Event {
    Stream* stream = nullptr;
    size_t until = 0;
  };

  // The calling thread's GPU.
  static int& Current() {
    thread_local int current = 0;
    return current;
  }

  CudaError Enter(const char* function) {
    ++calls_[function];
    if (const auto found = failures_.find(function); found != failures_.end()) {
      Failure& failure = found->second;
      if (failure.times != 0) {
        if (failure.times > 0) --failure.times;
        return failure.error;
      }
    }
    return lost_.contains(Current()) ? kLaunchFailure : 0;
  }
  void Catch(Stream& stream, size_t until) {
    while (stream.done < until && !stream.work.empty()) {
      stream.work.front()();
      stream.work.pop_front();
      ++stream.done;
    }
  }
  static size_t End(const Stream& stream) { return stream.done + stream.work.size(); }

  template <class Body>
  static CudaError Call(const char* function, const Body& body) {
    FakeCuda& fake = Get();
    const std::lock_guard lock(fake.mutex_);
    if (const CudaError error = fake.Enter(function); error != 0) return error;
    return body(fake);
  }

  static CudaRuntime MakeTable() {
    CudaRuntime table{};
    table.GetDeviceCount = [](int* count) {
      return Call("GetDeviceCount", [&](FakeCuda& fake) { return *count = fake.gpus_, 0; });
    };
    table.SetDevice = [](int device) {
      FakeCuda& fake = Get();
      const std::lock_guard lock(fake.mutex_);
      ++fake.calls_["SetDevice"];
      if (device < 0 || device >= fake.gpus_) return 101;
      return Current() = device, 0;
    };
    table.DriverGetVersion = [](int* version) {
      return Call("DriverGetVersion", [&](FakeCuda&) { return *version = 12040, 0; });
    };
    table.RuntimeGetVersion = [](int* version) {
      return Call("RuntimeGetVersion", [&](FakeCuda&) { return *version = 13010, 0; });
    };
    table.GetDeviceProperties = [](void* properties, int) {
      return Call("GetDeviceProperties", [&](FakeCuda&) {
        std::strcpy(static_cast<char*>(properties), "Fake GPU/9000");
        return 0;
      });
    };
    table.DeviceGetAttribute = [](int* value, int attribute, int) {
      return Call("DeviceGetAttribute", [&](FakeCuda&) {
        return *value = attribute == CudaRuntime::kComputeCapabilityMajor ? 9 : 0, 0;
      });
    };
    table.MemGetInfo = [](size_t* free, size_t* total) {
      return Call("MemGetInfo", [&](FakeCuda&) { return *free = 1, *total = 2, 0; });
    };
    table.Malloc = [](void** memory, size_t bytes) {
      return Call("Malloc", [&](FakeCuda& fake) { return fake.Take(memory, bytes, fake.memory_left_); });
    };
    table.Free = [](void* memory) { return Get().Give(memory); };
    table.HostAlloc = [](void** memory, size_t bytes, unsigned) {
      return Call("HostAlloc",
                  [&](FakeCuda& fake) { return fake.Take(memory, bytes, fake.pinned_left_); });
    };
    table.FreeHost = [](void* memory) { return Get().Give(memory); };
    AddStreams(table);
    table.ThreadExchangeStreamCaptureMode = [](int* mode) {
      return Call("ThreadExchangeStreamCaptureMode", [&](FakeCuda&) { return *mode = 0, 0; });
    };
    table.GetErrorString = [](CudaError error) {
      return error == kLaunchFailure ? "unspecified launch failure" : "some error";
    };
    return table;
  }

  static void AddStreams(CudaRuntime& table) {
    table.StreamCreateWithFlags = [](CudaStream* stream, unsigned) {
      return Call("StreamCreateWithFlags", [&](FakeCuda& fake) {
        *stream = new Stream{Current(), {}, 0};
        return ++fake.live_, 0;
      });
    };
    table.StreamDestroy = [](CudaStream stream) {
      FakeCuda& fake = Get();
      const std::lock_guard lock(fake.mutex_);
      delete static_cast<Stream*>(stream);
      return --fake.live_, 0;
    };
    table.StreamSynchronize = [](CudaStream stream) {
      return Call("StreamSynchronize", [&](FakeCuda& fake) {
        auto& own = *static_cast<Stream*>(stream);
        return fake.Catch(own, End(own)), 0;
      });
    };
    // At once, where CUDA would queue the wait: what runs on the stream afterwards is no work of ours.
    table.StreamWaitEvent = [](CudaStream, CudaEvent event, unsigned) {
      return Call("StreamWaitEvent", [&](FakeCuda& fake) { return fake.Await(event), 0; });
    };
    table.EventCreateWithFlags = [](CudaEvent* event, unsigned) {
      return Call("EventCreateWithFlags",
                  [&](FakeCuda& fake) { return *event = new Event, ++fake.live_, 0; });
    };
    table.EventDestroy = [](CudaEvent event) {
      FakeCuda& fake = Get();
      const std::lock_guard lock(fake.mutex_);
      delete static_cast<Event*>(event);
      return --fake.live_, 0;
    };
    table.EventRecord = [](CudaEvent event, CudaStream stream) {
      return Call("EventRecord", [&](FakeCuda&) {
        auto& own = *static_cast<Stream*>(stream);
        return *static_cast<Event*>(event) = {&own, End(own)}, 0;
      });
    };
    table.EventSynchronize = [](CudaEvent event) {
      return Call("EventSynchronize", [&](FakeCuda& fake) { return fake.Await(event), 0; });
    };
    table.MemcpyAsync = [](void* target, const void* source, size_t bytes, CudaCopy,
                           CudaStream stream) {
      return Call("MemcpyAsync", [&](FakeCuda&) {
        static_cast<Stream*>(stream)->work.push_back(
            [=] { std::memcpy(target, source, bytes); });
        return 0;
      });
    };
    table.MemsetAsync = [](void* target, int value, size_t bytes, CudaStream stream) {
      return Call("MemsetAsync", [&](FakeCuda&) {
        static_cast<Stream*>(stream)->work.push_back(
            [=] { std::memset(target, value, bytes); });
        return 0;
      });
    };
  }

  void Await(CudaEvent event) {
    const auto& own = *static_cast<Event*>(event);
    if (own.stream != nullptr) Catch(*own.stream, own.until);
  }
  CudaError Take(void** memory, size_t bytes, size_t& left) {
    if (bytes > left) return kOutOfMemory;
    left -= bytes;
    *memory = std::malloc(bytes);
    // What nobody has written is no zero.
    std::memset(*memory, 0x7f, bytes);
    return ++live_, 0;
  }
  CudaError Give(void* memory) {
    const std::lock_guard lock(mutex_);
    std::free(memory);
    if (memory != nullptr) --live_;
    return 0;
  }

  std::mutex mutex_;
  int gpus_ = 1;
  std::map<std::string, Failure> failures_;
  std::map<std::string, size_t> calls_;
  std::set<int> lost_;
  size_t memory_left_ = SIZE_MAX;
  size_t pinned_left_ = SIZE_MAX;
  size_t live_ = 0;
};

}  // namespace millrace::test
