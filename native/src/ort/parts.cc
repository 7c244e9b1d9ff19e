#include "ort/parts.h"

namespace millrace {

std::vector<Shape> ShapesOf(std::span<const Part> parts) {
  std::vector<Shape> shapes;
  for (const TensorView& view : parts.front()) shapes.push_back(view.shape);
  for (const Part& part : parts.subspan(1)) {
    for (size_t i = 0; i < shapes.size(); ++i) shapes[i].dims[0] += part[i].shape.dims[0];
  }
  return shapes;
}

GatheredParts::GatheredParts(std::span<const Part> parts) {
  views_.assign(parts.front().begin(), parts.front().end());
  const std::vector<Shape> shapes = ShapesOf(parts);
  bytes_.resize(views_.size());
  strings_.resize(views_.size());
  for (size_t i = 0; i < views_.size(); ++i) {
    for (const Part& part : parts) {
      const TensorView& view = part[i];
      if (view.type == ElementType::kString) {
        strings_[i].insert(strings_[i].end(), view.strings,
                           view.strings + view.shape.Elements().value_or(0));
      } else {
        bytes_[i].insert(bytes_[i].end(), view.data, view.data + view.bytes);
      }
    }
    views_[i].shape = shapes[i];
    views_[i].data = bytes_[i].data();
    views_[i].bytes = bytes_[i].size();
    views_[i].strings = strings_[i].data();
  }
}

}  // namespace millrace
