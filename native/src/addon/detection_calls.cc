#include "addon/detection_calls.h"

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "addon/async_task.h"
#include "addon/codec_call.h"
#include "addon/codec_values.h"
#include "addon/detection_arguments.h"
#include "addon/whole_numbers.h"
#include "image/boxes.h"
#include "image/polygons.h"
#include "image/run_lengths.h"
#include "image/segments.h"

namespace millrace {
namespace {

// Returns an ArrayBuffer with a copy, for a few elements.
template <typename Element>
napi_value CopyOf(napi_env env, const std::vector<Element>& elements) {
  return CopyToBuffer(env, elements.data(), elements.size() * sizeof(Element));
}


// A task on outputs, whose memory it keeps.
class DetectionTask : public AsyncTask {
 public:
  explicit DetectionTask(napi_env env) noexcept : AsyncTask(env) {}

  Status Read(const Arguments& arguments) {
    MILLRACE_RETURN_IF_ERROR(detection_.Read(arguments));
    for (size_t i = 0; i < arguments.count(); ++i) {
      if (arguments.IsTyped(i)) Keep(arguments[i]);
    }
    return {};
  }

 protected:
  DetectionArguments detection_;
};

class BoxesTask final : public DetectionTask {
 public:
  using DetectionTask::DetectionTask;

  Status Run() override {
    return FindBoxes(detection_.head.boxes, detection_.tensors, detection_.geometry, detection_.options.boxes, boxes_);
  }

  napi_value Result(napi_env env) override {
    std::vector<Corners> corners;
    std::vector<float> scores;
    std::vector<int32_t> labels;
    std::vector<int32_t> sources;
    for (const Box& box : boxes_) {
      corners.push_back(ClipToImage(ToImage(box.corners, detection_.geometry), detection_.geometry));
      scores.push_back(box.score);
      labels.push_back(box.label);
      sources.push_back(box.source);
    }
    return ToArray(env, {CopyOf(env, corners), CopyOf(env, scores), CopyOf(env, labels), CopyOf(env, sources)});
  }

 private:
  std::vector<Box> boxes_;
};

class SegmentsTask final : public DetectionTask {
 public:
  using DetectionTask::DetectionTask;

  Status Run() override {
    return FindSegments({detection_.head, detection_.tensors, detection_.geometry, detection_.options}, segments_);
  }

  napi_value Result(napi_env env) override {
    std::vector<double> numbers;
    for (const auto& [label, score, mask] : segments_) {
      numbers.insert(numbers.end(), {static_cast<double>(label), score, static_cast<double>(mask.area)});
      numbers.insert(numbers.end(), mask.box.begin(), mask.box.end());
    }
    const napi_value counts =
        ToArray(env, segments_, [&](Segment& segment) { return ToBuffer(env, std::move(segment.mask.counts)); });
    return ToArray(env, {CopyOf(env, numbers), counts});
  }

 private:
  std::vector<Segment> segments_;
};

// A task on a mask, of which it has a copy.
class MaskTask : public AsyncTask {
 public:
  explicit MaskTask(napi_env env) noexcept : AsyncTask(env) {}

  Status Read(const Arguments& arguments) {
    const auto bytes = arguments.Bytes(0);
    counts_.resize(bytes.size() / sizeof(uint32_t));
    if (!counts_.empty()) std::memcpy(counts_.data(), bytes.data(), counts_.size() * sizeof(uint32_t));
    size_t width = 0;
    size_t height = 0;
    // CheckMask refuses a side of 0, which stands for anything but a whole number.
    (void)ToSize(arguments.Number(1), kMaxImageSide, width);
    (void)ToSize(arguments.Number(2), kMaxImageSide, height);
    mask_ = {width, height, counts_};
    return {};
  }

 protected:
  MaskView mask_;

 private:
  std::vector<uint32_t> counts_;
};

class BitmapTask final : public MaskTask {
 public:
  using MaskTask::MaskTask;

  Status Run() override {
    MILLRACE_RETURN_IF_ERROR(CheckMask(mask_));
    bytes_ = std::make_unique_for_overwrite<Bytes>(mask_.width * mask_.height);
    WriteBitmap(mask_, bytes_.get());
    return {};
  }

  napi_value Result(napi_env env) override {
    auto owner = std::make_unique<std::unique_ptr<Bytes>>(std::move(bytes_));
    const uint8_t* const data = owner->get();
    return ToBuffer(env, std::move(owner), data, mask_.width * mask_.height);
  }

 private:
  using Bytes = uint8_t[];
  std::unique_ptr<Bytes> bytes_;
};

class PolygonsTask final : public MaskTask {
 public:
  using MaskTask::MaskTask;

  Status Run() override {
    MILLRACE_RETURN_IF_ERROR(CheckMask(mask_));
    return TracePolygons(mask_, polygons_);
  }

  napi_value Result(napi_env env) override {
    return ToArray(env, {ToBuffer(env, std::move(polygons_.coordinates)), ToBuffer(env, std::move(polygons_.ends))});
  }

 private:
  Polygons polygons_;
};

template <typename Task>
napi_value JS_startTask(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  auto task = std::make_unique<Task>(env);
  if (const Status status = task->Read(arguments); !status.ok()) return Refuse(env, status);
  return AsyncTask::Start(env, std::move(task));
}

}  // namespace

void AddDetections(Napi::Env env, Napi::Object exports) {
  AddFunction(env, exports, "findBoxes", JS_guarded<JS_startTask<BoxesTask>>);
  AddFunction(env, exports, "findSegments", JS_guarded<JS_startTask<SegmentsTask>>);
  AddFunction(env, exports, "maskBitmap", JS_guarded<JS_startTask<BitmapTask>>);
  AddFunction(env, exports, "maskPolygons", JS_guarded<JS_startTask<PolygonsTask>>);
}

}  // namespace millrace
