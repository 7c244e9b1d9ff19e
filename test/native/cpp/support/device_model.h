// A model of the fixtures on the fake device.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/fake_provider.h"
#include "support/requests.h"

namespace millrace::test {

class DeviceTest : public testing::Test {
 protected:
  DeviceTest() {
    cuda.Reset();
    options.device.device = "cuda:0";
    options.device.provider = &provider;
    options.device.cuda = &FakeCuda::Table();
  }

  // Rows [rows, width] of input `x`, in device shapes of these numbers of rows.
  void UseRows(std::vector<int64_t> sizes, int64_t width) {
    options.choose = [sizes, width](const Signature& signature, Executor&, ShapeChoice& choice) {
      choice.batched = true;
      for (const int64_t rows : sizes) {
        DeviceShape shape{rows, {}};
        for (size_t i = 0; i < signature.inputs.size(); ++i) {
          shape.inputs.push_back(MakeShape({rows, width}));
        }
        choice.shapes.push_back(std::move(shape));
      }
      return Status();
    };
  }

  Status Load(const std::string& model, int gpu = 0) {
    options.path = ModelPath(model);
    return DeviceSession::Load(TestLibrary(), options, {DeviceKind::kCuda, gpu}, session);
  }

  // Where no device shape's outputs depend on what they are given.
  bool Notes(const std::string& part) const {
    for (const std::string& note : session->report().notes) {
      if (note.find(part) != std::string::npos) return true;
    }
    return false;
  }

  FakeCuda& cuda = FakeCuda::Get();
  FakeProvider provider;
  SessionOptions options;
  std::unique_ptr<DeviceSession> session;
};

// Inputs of one request, float32 but for those of `type`.
class Inputs {
 public:
  Inputs& Floats(const Shape& shape, const std::vector<float>& values) {
    return Add(ElementType::kFloat32, shape, values);
  }
  template <class T>
  Inputs& Add(ElementType type, const Shape& shape, const std::vector<T>& values) {
    auto& bytes = memory_.emplace_back(values.size() * sizeof(T) + 1);
    std::copy_n(reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T),
                bytes.data());
    views_.push_back({type, shape, bytes.data(), values.size() * sizeof(T), nullptr});
    return *this;
  }
  std::span<const TensorView> views() const { return views_; }
  std::vector<TensorView>& mutable_views() { return views_; }

 private:
  std::deque<std::vector<std::byte>> memory_;
  std::vector<TensorView> views_;
};

}  // namespace millrace::test
