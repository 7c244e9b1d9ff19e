// A table of functions that plays the CUDA runtime, as late as it may.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>

#include "ort/cuda_runtime.h"

namespace millrace::test {

// MEMORY of a GPU has addresses at which nothing can be read or written: what they stand for lies elsewhere,
// where only copies and runs reach it (HostOf). Code that takes it for the CPU's memory faults.
//
// STREAMS What is queued on a stream, waits for events included, happens only when somebody waits for it, so that
// whoever reads what he has not waited for reads what was there before.
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
    copied_.clear();
    lost_.clear();
    memory_left_ = SIZE_MAX;
    pinned_left_ = SIZE_MAX;
  }

  // An error with which Fail makes the calls throw std::bad_alloc, as code around them does when memory runs out.
  static constexpr CudaError kThrows = -1;
  // Makes calls of `function` (`MemcpyAsync`) fail, all or the next `times`, after `before` calls that do not.
  void Fail(const std::string& function, CudaError error, int times = -1, int before = 0) {
    const std::lock_guard lock(mutex_);
    failures_[function] = {error, times, before};
  }
  // Bytes that Malloc and HostAlloc still give.
  void LimitMemory(size_t device, size_t pinned) {
    const std::lock_guard lock(mutex_);
    memory_left_ = device;
    pinned_left_ = pinned;
  }
  // Where the bytes lie that an address on a GPU stands for; null for other addresses.
  std::byte* HostOf(const void* address) {
    const std::lock_guard lock(mutex_);
    return Find(address, 0);
  }
  bool HasStream(CudaStream stream) {
    const std::lock_guard lock(mutex_);
    return streams_.contains(static_cast<Stream*>(stream));
  }
  // Does what is queued on a stream so far.
  void CatchUp(CudaStream stream) {
    const std::lock_guard lock(mutex_);
    auto& own = *static_cast<Stream*>(stream);
    Catch(own, End(own));
  }
  // Queues work on a stream.
  void Queue(CudaStream stream, std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    static_cast<Stream*>(stream)->work.push_back(std::move(work));
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
  // Bytes that were copied in this direction, or within the GPU.
  size_t copied(CudaCopy kind) {
    const std::lock_guard lock(mutex_);
    return copied_[kind];
  }
  // What was allocated or made and not freed.
  size_t live() {
    const std::lock_guard lock(mutex_);
    return live_;
  }

 private:
  static constexpr CudaError kInvalidValue = 1;
  static constexpr CudaError kOutOfMemory = 2;
  static constexpr CudaError kLaunchFailure = 719;

  struct Failure {
    CudaError error = 0;
    int times = 0;
    int before = 0;
  };
  struct Stream {
    int gpu = 0;
    std::deque<std::function<void()>> work;
    size_t done = 0;
  };
  // Memory of a GPU, by its address there.
  struct Block {
    size_t bytes = 0;
    std::unique_ptr<std::byte[]> host;
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
      if (failure.before > 0) {
        --failure.before;
      } else if (failure.times != 0) {
        if (failure.times > 0) --failure.times;
        if (failure.error == kThrows) throw std::bad_alloc();
        return failure.error;
      }
    }
    return lost_.contains(Current()) ? kLaunchFailure : 0;
  }
  void Catch(Stream& stream, size_t until) {
    while (stream.done < until && !stream.work.empty() && !lost_.contains(stream.gpu)) {
      const std::function<void()> work = std::move(stream.work.front());
      stream.work.pop_front();
      ++stream.done;
      work();
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
      return Call("Malloc", [&](FakeCuda& fake) { return fake.TakeDevice(memory, bytes); });
    };
    table.Free = [](void* memory) { return Get().GiveDevice(memory); };
    table.HostAlloc = [](void** memory, size_t bytes, unsigned) {
      return Call("HostAlloc", [&](FakeCuda& fake) { return fake.TakePinned(memory, bytes); });
    };
    table.FreeHost = [](void* memory) { return Get().GivePinned(memory); };
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
        auto* const made = new Stream{Current(), {}, 0};
        fake.streams_.insert(made);
        *stream = made;
        return ++fake.live_, 0;
      });
    };
    table.StreamDestroy = [](CudaStream stream) {
      FakeCuda& fake = Get();
      const std::lock_guard lock(fake.mutex_);
      fake.streams_.erase(static_cast<Stream*>(stream));
      delete static_cast<Stream*>(stream);
      return --fake.live_, 0;
    };
    table.StreamSynchronize = [](CudaStream stream) {
      return Call("StreamSynchronize", [&](FakeCuda& fake) {
        auto& own = *static_cast<Stream*>(stream);
        return fake.Catch(own, End(own)), 0;
      });
    };
    table.StreamWaitEvent = [](CudaStream stream, CudaEvent event, unsigned) {
      return Call("StreamWaitEvent", [&](FakeCuda& fake) {
        // The event as it is now: it may be recorded again before the stream gets there.
        static_cast<Stream*>(stream)->work.push_back(
            [&fake, awaited = *static_cast<Event*>(event)] { fake.Await(awaited); });
        return 0;
      });
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
      return Call("EventSynchronize", [&](FakeCuda& fake) {
        return fake.Await(*static_cast<Event*>(event)), 0;
      });
    };
    table.MemcpyAsync = [](void* target, const void* source, size_t bytes, CudaCopy kind,
                           CudaStream stream) {
      return Call("MemcpyAsync", [&](FakeCuda& fake) {
        const bool in = kind == CudaCopy::kToDevice;
        std::byte* const device = fake.Find(in ? target : source, bytes);
        // One end is on a GPU and the other is not.
        if (device == nullptr || fake.Find(in ? source : target, 0) != nullptr) return kInvalidValue;
        fake.copied_[kind] += bytes;
        static_cast<Stream*>(stream)->work.push_back([=] {
          std::memcpy(in ? device : target, in ? source : device, bytes);
        });
        return 0;
      });
    };
    table.Memcpy3DAsync = [](const CudaCopy3D* copy, CudaStream stream) {
      return Call("Memcpy3DAsync", [&](FakeCuda& fake) { return fake.CopyBox(*copy, stream); });
    };
    table.Memset3DAsync = [](CudaPitched target, int value, CudaExtent extent, CudaStream stream) {
      return Call("Memset3DAsync", [&](FakeCuda& fake) {
        target.data = fake.Find(target.data, BoxBytes(target, extent));
        if (target.data == nullptr) return kInvalidValue;
        static_cast<Stream*>(stream)->work.push_back([=] {
          EachRun(extent, [&](size_t slice, size_t row) { std::memset(RunAt(target, slice, row), value, extent.width); });
        });
        return 0;
      });
    };
    table.MemsetAsync = [](void* target, int value, size_t bytes, CudaStream stream) {
      return Call("MemsetAsync", [&](FakeCuda& fake) {
        std::byte* const device = fake.Find(target, bytes);
        if (device == nullptr) return kInvalidValue;
        static_cast<Stream*>(stream)->work.push_back([=] { std::memset(device, value, bytes); });
        return 0;
      });
    };
  }

  // The bytes from the first to the last of a box.
  static size_t BoxBytes(const CudaPitched& box, const CudaExtent& extent) {
    return ((extent.depth - 1) * box.rows + extent.height - 1) * box.pitch + extent.width;
  }
  static std::byte* RunAt(const CudaPitched& box, size_t slice, size_t row) {
    return static_cast<std::byte*>(box.data) + (slice * box.rows + row) * box.pitch;
  }
  template <class Body>
  static void EachRun(const CudaExtent& extent, const Body& body) {
    for (size_t slice = 0; slice < extent.depth; ++slice) {
      for (size_t row = 0; row < extent.height; ++row) body(slice, row);
    }
  }
  CudaError CopyBox(const CudaCopy3D& copy, CudaStream stream) {
    const CudaExtent extent = copy.extent;
    CudaPitched source = copy.source;
    CudaPitched target = copy.target;
    for (CudaPitched* box : {&source, &target}) {
      const bool device = box == &source || copy.kind == CudaCopy::kOnDevice;
      if (box->pitch < extent.width || box->rows < extent.height) return kInvalidValue;
      std::byte* const host = Find(box->data, BoxBytes(*box, extent));
      if (device != (host != nullptr)) return kInvalidValue;
      if (device) box->data = host;
    }
    copied_[copy.kind] += extent.width * extent.height * extent.depth;
    static_cast<Stream*>(stream)->work.push_back([=] {
      EachRun(extent, [&](size_t slice, size_t row) {
        std::memcpy(RunAt(target, slice, row), RunAt(source, slice, row), extent.width);
      });
    });
    return 0;
  }

  void Await(const Event& event) {
    // A stream that is gone has nothing left to do.
    if (streams_.contains(event.stream)) Catch(*event.stream, event.until);
  }
  // Where `bytes` bytes from an address on a GPU on lie; null if they are not all of one allocation.
  std::byte* Find(const void* address, size_t bytes) {
    const auto* const at = static_cast<const std::byte*>(address);
    auto found = device_.upper_bound(at);
    if (found == device_.begin()) return nullptr;
    const auto& [begin, block] = *--found;
    const auto offset = static_cast<size_t>(at - begin);
    if (offset >= block.bytes || bytes > block.bytes - offset) return nullptr;
    return block.host.get() + offset;
  }

  static bool Charge(size_t& left, size_t bytes) {
    if (bytes > left) return false;
    left -= bytes;
    return true;
  }
  CudaError TakeDevice(void** memory, size_t bytes) {
    if (!Charge(memory_left_, bytes)) return kOutOfMemory;
    void* const address = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (address == MAP_FAILED) return kOutOfMemory;
    Block block{bytes, std::make_unique_for_overwrite<std::byte[]>(bytes)};
    // What nobody has written is no zero.
    std::memset(block.host.get(), 0x7f, bytes);
    device_.emplace(static_cast<std::byte*>(address), std::move(block));
    *memory = address;
    return ++live_, 0;
  }
  // Waits for all streams, as CUDA does.
  CudaError GiveDevice(void* memory) {
    const std::lock_guard lock(mutex_);
    for (Stream* stream : streams_) Catch(*stream, End(*stream));
    const auto found = device_.find(static_cast<std::byte*>(memory));
    if (found == device_.end()) return memory == nullptr ? 0 : kInvalidValue;
    munmap(memory, found->second.bytes);
    device_.erase(found);
    return --live_, 0;
  }
  CudaError TakePinned(void** memory, size_t bytes) {
    if (!Charge(pinned_left_, bytes)) return kOutOfMemory;
    *memory = std::malloc(bytes);
    std::memset(*memory, 0x7f, bytes);
    return ++live_, 0;
  }
  CudaError GivePinned(void* memory) {
    const std::lock_guard lock(mutex_);
    std::free(memory);
    if (memory != nullptr) --live_;
    return 0;
  }

  std::mutex mutex_;
  int gpus_ = 1;
  std::map<std::string, Failure> failures_;
  std::map<std::string, size_t> calls_;
  std::map<CudaCopy, size_t> copied_;
  std::set<int> lost_;
  std::set<Stream*> streams_;
  std::map<const std::byte*, Block> device_;
  size_t memory_left_ = SIZE_MAX;
  size_t pinned_left_ = SIZE_MAX;
  size_t live_ = 0;
};

}  // namespace millrace::test
