// The planes that matter between two neighbouring columns of their grid.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "batching/vector_math.h"
#include "image/grid_axis.h"
#include "image/label_map.h"
#include "image/stop_check.h"

namespace millrace {

// Reads columns of planes as [height, count]. Copies several neighbouring columns at a time, which are in the same lines of
// caches. Throws StatusError.
class PlaneColumns {
 public:
  PlaneColumns(const Planes& planes, StopCheck& stop) : planes_(planes), stop_(stop), block_(kBlock * planes.height * planes.count) {}

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
      stop_.Spend(columns * planes_.count);
      for (size_t c = 0; c < planes_.count; ++c) {
        const float* const row = planes_.values.data() + (c * planes_.height + y) * planes_.width + first;
        float* const target = block_.data() + y * planes_.count + c;
        for (size_t x = 0; x < columns; ++x) target[x * size] = Finite(row[x]);
      }
    }
  }

  const Planes& planes_;
  StopCheck& stop_;
  std::vector<float> block_;
  size_t number_ = static_cast<size_t>(-1);
};

// For each cell of a strip, the planes that can be the highest at a pixel and, after them, others that change probabilities, with
// their values in the four corners. Their number is padded to whole blocks, with planes that have no value.
class LabelStrip {
 public:
  static constexpr size_t kBlock = 8;
  static constexpr float kRounding = 1e-3f;  // of interpolated values

  // Planes that are lower than another one by more than `margin` change no probability; a margin of 0 means that none matters.
  LabelStrip(size_t count, std::span<const AxisRun> runs, float margin)
      : count_(count), runs_(runs), margin_(margin), lows_(count), highs_(count) {}

  void Load(std::span<const float> left, std::span<const float> right) {
    cells_.clear();
    labels_.clear();
    for (auto& corner : corners_) corner.clear();
    for (const AxisRun& run : runs_) {
      const size_t above = run.cell * count_;
      const size_t below = std::min(above + count_, left.size() - count_);
      LoadCell({left.subspan(above, count_), right.subspan(above, count_), left.subspan(below, count_),
                right.subspan(below, count_)});
    }
  }

  // Planes `first` to `first` + `candidates` can be the highest, and those to `first` + `size` matter.
  struct Cell {
    size_t first = 0;
    size_t candidates = 0;
    size_t size = 0;    // without the padding
    size_t padded = 0;  // with it
  };
  const Cell& cell(size_t run) const noexcept { return cells_[run]; }
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
  using Values = std::array<std::span<const float>, 4>;

  void LoadCell(const Values& values) {
    for (size_t c = 0; c < count_; ++c) {
      lows_[c] = std::min(std::min(values[0][c], values[1][c]), std::min(values[2][c], values[3][c]));
      highs_[c] = std::max(std::max(values[0][c], values[1][c]), std::max(values[2][c], values[3][c]));
    }
    const float best = MaxOf(lows_);
    Cell cell;
    cell.first = labels_.size();
    AddPlanes(values, best - kRounding, INFINITY);
    cell.candidates = labels_.size() - cell.first;
    if (margin_ > 0) AddPlanes(values, best - margin_, best - kRounding);
    cell.size = labels_.size() - cell.first;
    cell.padded = (cell.size + kBlock - 1) / kBlock * kBlock;
    labels_.resize(cell.first + cell.padded);
    for (auto& corner : corners_) corner.resize(labels_.size(), Finite(-INFINITY));
    cells_.push_back(cell);
  }

  // Adds the planes whose highest corner is at least `least` and below `end`.
  void AddPlanes(const Values& values, float least, float end) {
    for (size_t c = 0; c < count_; ++c) {
      if (!(highs_[c] >= least && highs_[c] < end)) continue;
      labels_.push_back(static_cast<uint32_t>(c));
      for (size_t i = 0; i < corners_.size(); ++i) corners_[i].push_back(values[i][c]);
    }
  }

  const size_t count_;
  const std::span<const AxisRun> runs_;
  const float margin_;
  std::vector<Cell> cells_;
  std::vector<uint32_t> labels_;
  std::array<std::vector<float>, 4> corners_;
  std::vector<float> lows_;
  std::vector<float> highs_;
};

}  // namespace millrace
