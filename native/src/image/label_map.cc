#include "image/label_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "generation/vector_math.h"

namespace millrace {
namespace {

// Reads columns of planes as [height, count]. Copies several neighbouring columns at a time, which are in the same lines of
// caches.
class PlaneColumns {
 public:
  explicit PlaneColumns(const Planes& planes) : planes_(planes), block_(kBlock * planes.height * planes.count) {}

  void Read(size_t x, std::vector<float>& column) {
    if (x / kBlock != number_) ReadBlock(x / kBlock);
    const size_t size = planes_.height * planes_.count;
    const auto first = block_.begin() + static_cast<std::ptrdiff_t>((x % kBlock) * size);
    column.assign(first, first + static_cast<std::ptrdiff_t>(size));
  }

 private:
  static constexpr size_t kBlock = 16;

  void ReadBlock(size_t number) {
    number_ = number;
    const size_t first = number * kBlock;
    const size_t columns = std::min(kBlock, planes_.width - first);
    const size_t size = planes_.height * planes_.count;
    for (size_t y = 0; y < planes_.height; ++y) {
      for (size_t c = 0; c < planes_.count; ++c) {
        const float* const row = planes_.values.data() + (c * planes_.height + y) * planes_.width + first;
        float* const target = block_.data() + y * planes_.count + c;
        for (size_t x = 0; x < columns; ++x) target[x * size] = Finite(row[x]);
      }
    }
  }

  const Planes& planes_;
  std::vector<float> block_;
  size_t number_ = static_cast<size_t>(-1);
};

// The planes that matter in the cells between two neighbouring columns, with their values in the four corners.
class Strip {
 public:
  Strip(size_t count, std::span<const AxisRun> runs, float margin) : count_(count), runs_(runs), margin_(margin), lows_(count), highs_(count) {}

  void Load(std::span<const float> left, std::span<const float> right) {
    starts_.assign(1, 0);
    labels_.clear();
    for (auto& corner : corners_) corner.clear();
    for (const AxisRun& run : runs_) {
      const size_t below = std::min((run.cell + 1) * count_, left.size() - count_);
      const size_t above = run.cell * count_;
      LoadCell({left.subspan(above, count_), right.subspan(above, count_), left.subspan(below, count_),
                right.subspan(below, count_)});
    }
  }

  size_t start(size_t run) const noexcept { return starts_[run]; }
  size_t size(size_t run) const noexcept { return starts_[run + 1] - starts_[run]; }
  uint32_t label(size_t i) const noexcept { return labels_[i]; }

  // Interpolates between the corners on the left and those on the right.
  void Mix(float part, std::vector<float>& above, std::vector<float>& below) const {
    above.resize(labels_.size());
    below.resize(labels_.size());
    for (size_t i = 0; i < labels_.size(); ++i) {
      above[i] = (1 - part) * corners_[0][i] + part * corners_[1][i];
      below[i] = (1 - part) * corners_[2][i] + part * corners_[3][i];
    }
  }

 private:
  void LoadCell(const std::array<std::span<const float>, 4>& values) {
    for (size_t c = 0; c < count_; ++c) {
      lows_[c] = std::min(std::min(values[0][c], values[1][c]), std::min(values[2][c], values[3][c]));
      highs_[c] = std::max(std::max(values[0][c], values[1][c]), std::max(values[2][c], values[3][c]));
    }
    const float least = MaxOf(lows_) - margin_;
    for (size_t c = 0; c < count_; ++c) {
      if (highs_[c] < least) continue;
      labels_.push_back(static_cast<uint32_t>(c));
      for (size_t i = 0; i < corners_.size(); ++i) corners_[i].push_back(values[i][c]);
    }
    starts_.push_back(labels_.size());
  }

  const size_t count_;
  const std::span<const AxisRun> runs_;
  const float margin_;
  std::vector<size_t> starts_;
  std::vector<uint32_t> labels_;
  std::array<std::vector<float>, 4> corners_;
  std::vector<float> lows_;
  std::vector<float> highs_;
};

// Finds the labels of the pixels of a cell, in one column.
class CellLabels {
 public:
  CellLabels(const GridAxis& rows, bool probabilities, LabelSink& sink) noexcept
      : rows_(rows), probabilities_(probabilities), sink_(sink) {}

  void Write(const Strip& strip, size_t run, std::span<const float> above, std::span<const float> below, const AxisRun& pixels,
             size_t place) {
    const size_t start = strip.start(run);
    const size_t size = strip.size(run);
    const auto top = above.subspan(start, size);
    const auto bottom = below.subspan(start, size);
    if (size == 1 && top[0] > kNoValue && bottom[0] > kNoValue) {
      const size_t length = pixels.last - pixels.first;
      sink_.Add(strip.label(start), place + pixels.first, length, probabilities_ ? static_cast<double>(length) : 0);
      return;
    }
    values_.resize(size);
    for (size_t y = pixels.first; y < pixels.last; ++y) {
      const float part = rows_.samples[y - rows_.first].part;
      for (size_t i = 0; i < size; ++i) values_[i] = (1 - part) * top[i] + part * bottom[i];
      const size_t best = First();
      const float most = values_[best];
      if (!(most > kNoValue)) continue;
      sink_.Add(strip.label(start + best), place + y, 1, probabilities_ ? 1 / Sum(most) : 0);
    }
  }

 private:
  // Returns the first of the highest values.
  size_t First() const noexcept {
    constexpr size_t kFew = 24;
    if (values_.size() > kFew) return static_cast<size_t>(std::max<int64_t>(ArgMax(values_), 0));
    size_t best = 0;
    for (size_t i = 1; i < values_.size(); ++i) best = values_[i] > values_[best] ? i : best;
    return best;
  }

  // Returns the sum of e^(value - most).
  double Sum(float most) noexcept {
    for (float& value : values_) value = ExpOfNegative(value - most);
    float sum = 0;
    for (const float value : values_) sum += value;
    return sum;
  }

  const GridAxis& rows_;
  const bool probabilities_;
  LabelSink& sink_;
  std::vector<float> values_;
};

}  // namespace

void FindLabels(const Planes& planes, const GridAxis& columns, const GridAxis& rows, size_t image_height, bool probabilities,
                LabelSink& sink) {
  if (planes.count == 0 || columns.samples.empty() || rows.samples.empty()) return;
  // Planes that are lower by this much change no probability by more than 1e-6, all together; and without probabilities, the margin
  // is for the rounding of interpolated values.
  const float margin = probabilities ? std::log(static_cast<float>(planes.count)) + 14 : 1e-3f;
  const std::vector<AxisRun> runs = RunsOf(rows);
  PlaneColumns reader(planes);
  Strip strip(planes.count, runs, margin);
  CellLabels cells(rows, probabilities, sink);
  std::vector<float> left, right, above, below;
  size_t next = static_cast<size_t>(-1);  // the column that `right` holds
  for (const AxisRun& group : RunsOf(columns)) {
    const size_t second = std::min<size_t>(group.cell + 1, planes.width - 1);
    if (group.cell == next) {
      left.swap(right);
    } else {
      reader.Read(group.cell, left);
    }
    reader.Read(second, right);
    next = second;
    strip.Load(left, right);
    for (size_t x = group.first; x < group.last; ++x) {
      strip.Mix(columns.samples[x - columns.first].part, above, below);
      for (size_t run = 0; run < runs.size(); ++run) cells.Write(strip, run, above, below, runs[run], x * image_height);
    }
  }
}

}  // namespace millrace
