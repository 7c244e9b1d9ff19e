#include "codec/pixel_input.h"

#include <algorithm>

namespace millrace {
namespace {

class PixelInput final : public InputMap {
 public:
  explicit PixelInput(const PixelMap& map) : map_(map) {}

  ElementType type() const noexcept override { return ElementType::kFloat32; }

  Shape ModelShape(const Shape& own) const noexcept override {
    Shape shape = own;
    const size_t first = own.rank - size_t{3};
    shape.dims[first] = own.dims[first + 2];
    shape.dims[first + 1] = own.dims[first];
    shape.dims[first + 2] = own.dims[first + 1];
    return shape;
  }

  void Map(const TensorView& part, std::byte* target) const noexcept override {
    const size_t first = part.shape.rank - size_t{3};
    const auto height = static_cast<size_t>(part.shape.dims[first]);
    const auto width = static_cast<size_t>(part.shape.dims[first + 1]);
    const size_t size = height * width * map_.channels;
    const size_t images = size == 0 ? 0 : part.bytes / size;
    const auto* pixels = reinterpret_cast<const uint8_t*>(part.data);
    auto* planes = reinterpret_cast<float*>(target);
    for (size_t i = 0; i < images; ++i, pixels += size, planes += size) {
      MapPixels(pixels, height, width, map_, planes);
    }
  }

 private:
  const PixelMap map_;
};

}  // namespace

Status MakePixelInput(const PixelForm& form, TensorSpec& spec,
                      std::unique_ptr<const InputMap>& map) {
  const std::string name = "Input '" + spec.name + "'";
  const size_t rank = spec.dims.size();
  if (spec.type != ElementType::kFloat32 || rank < 3 || rank > 4) {
    return {Code::kInvalidArgument,
            name + " cannot be made from pixels: the model must take float32 planes of 3 dimensions, "
                   "or 4 with rows"};
  }
  const auto channels = static_cast<int64_t>(form.mean.size());
  const bool whole = channels >= 1 && channels <= static_cast<int64_t>(kMaxChannels) &&
                     form.deviation.size() == form.mean.size() &&
                     std::ranges::find(form.deviation, 0.0F) == form.deviation.end();
  const int64_t declared = spec.dims[rank - 3];
  if (!whole || (declared != -1 && declared != channels)) {
    return {Code::kInvalidArgument,
            name + " has " + (declared == -1 ? "1 to 4" : std::to_string(declared)) +
                " channels: mean and std need a number for each, and no std is 0"};
  }
  map = std::make_unique<PixelInput>(
      NormalizingMap(form.scale, form.mean, form.deviation, form.reverse));
  spec.type = ElementType::kUint8;
  spec.dims[rank - 3] = channels;
  // CHW to HWC.
  std::rotate(spec.dims.end() - 3, spec.dims.end() - 2, spec.dims.end());
  std::rotate(spec.symbols.end() - 3, spec.symbols.end() - 2, spec.symbols.end());
  return {};
}

}  // namespace millrace
