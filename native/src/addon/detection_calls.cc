#include "addon/detection_calls.h"

#include <memory>
#include <utility>
#include <vector>

#include "addon/async_task.h"
#include "addon/codec_call.h"
#include "addon/codec_values.h"
#include "addon/detection_arguments.h"
#include "image/boxes.h"

namespace millrace {
namespace {

template <typename Element>
napi_value ToBuffer(napi_env env, const std::vector<Element>& elements) {
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
    return FindBoxes(detection_.head, detection_.tensors, detection_.geometry, detection_.options, boxes_);
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
    return ToArray(env, {ToBuffer(env, corners), ToBuffer(env, scores), ToBuffer(env, labels), ToBuffer(env, sources)});
  }

 private:
  std::vector<Box> boxes_;
};

template <typename Task>
napi_value StartDetection(napi_env env, napi_callback_info info) {
  return Guard(env, [&]() -> napi_value {
    const Arguments arguments(env, info);
    auto task = std::make_unique<Task>(env);
    if (const Status status = task->Read(arguments); !status.ok()) return Refuse(env, status);
    return AsyncTask::Start(env, std::move(task));
  });
}

}  // namespace

void AddDetections(Napi::Env env, Napi::Object exports) {
  AddFunction(env, exports, "findBoxes", StartDetection<BoxesTask>);
}

}  // namespace millrace
