#include "image/label_map.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "batching/vector_math.h"
#include "image/label_strip.h"

namespace millrace {
namespace {

// Finds the labels of the pixels of a cell, in one column.
class CellLabels {
 public:
  CellLabels(const GridAxis& rows, bool probabilities, StopCheck& stop, LabelSink& sink) noexcept
      : rows_(rows), probabilities_(probabilities), stop_(stop), sink_(sink) {}

  // `above` and `below` are the planes' values at the upper and the lower end of the cell, in this column.
  void Write(const LabelStrip& strip, const LabelStrip::Cell& cell, std::span<const float> above, std::span<const float> below,
             const AxisRun& pixels, size_t place) {
    above_ = above.subspan(cell.first, cell.padded);
    below_ = below.subspan(cell.first, cell.padded);
    cell_ = cell;
    most_ = std::max(MaxOf(above_), MaxOf(below_));
    if (!(most_ > kNoValue)) return;
    if (cell.size == 1 && std::min(above_[0], below_[0]) > kNoValue) {
      const size_t length = pixels.last - pixels.first;
      sink_.Add(strip.label(cell.first), place + pixels.first, length, probabilities_ ? static_cast<double>(length) : 0);
      return;
    }
    stop_.Spend((pixels.last - pixels.first) * (cell.padded + 1));
    const bool steps = probabilities_ && CanStep(pixels);
    if (steps) Start(pixels);
    Narrow();
    for (size_t y = pixels.first; y < pixels.last; ++y) {
      const float part = rows_.samples[y - rows_.first].part;
      const size_t best = FindBest(part);
      const float value = ValueOf(best, part);
      const float probability = !probabilities_ ? 0 : steps ? Step(best) : ProbabilityOf(value, part);
      if (value > kNoValue) sink_.Add(strip.label(cell.first + best), place + y, 1, probability);
    }
  }

 private:
  // The most planes that are compared one by one.
  static constexpr size_t kFewCandidates = 16;

  float ValueOf(size_t i, float part) const noexcept { return (1 - part) * above_[i] + part * below_[i]; }

  // Of many candidates of the cell, finds those that can be the highest in this column.
  void Narrow() {
    if (cell_.candidates <= kFewCandidates) return;
    float least = kNoValue;
    for (size_t i = 0; i < cell_.candidates; ++i) least = std::max(least, std::min(above_[i], below_[i]));
    narrow_.clear();
    for (size_t i = 0; i < cell_.candidates; ++i) {
      if (std::max(above_[i], below_[i]) >= least - LabelStrip::kRounding) narrow_.push_back(i);
    }
    narrow_above_.resize(narrow_.size());
    narrow_below_.resize(narrow_.size());
    values_.resize(narrow_.size());
    for (size_t i = 0; i < narrow_.size(); ++i) {
      narrow_above_[i] = above_[narrow_[i]];
      narrow_below_[i] = below_[narrow_[i]];
    }
  }

  // Returns the first of the highest planes.
  size_t FindBest(float part) {
    if (cell_.candidates == 1) return 0;
    if (cell_.candidates > kFewCandidates) {
      for (size_t i = 0; i < values_.size(); ++i) values_[i] = (1 - part) * narrow_above_[i] + part * narrow_below_[i];
      return narrow_[static_cast<size_t>(ArgMax(values_))];
    }
    size_t best = 0;
    float most = ValueOf(0, part);
    for (size_t i = 1; i < cell_.candidates; ++i) {
      const float value = ValueOf(i, part);
      best = value > most ? i : best;
      most = value > most ? value : most;
    }
    return best;
  }

  float ProbabilityOf(float most, float part) noexcept {
    powers_.resize(cell_.padded);
    for (size_t i = 0; i < cell_.padded; ++i) powers_[i] = ExpOfNegative(ValueOf(i, part) - most);
    float sum = 0;
    for (const float power : powers_) sum += power;
    return 1 / sum;
  }

  // Down a cell, values change by the same amount from pixel to pixel, and so their powers by the same factor, which takes the place of
  // an exponential for each. Returns whether that pays, and loses no precision.
  bool CanStep(const AxisRun& pixels) const noexcept {
    constexpr size_t kFewPixels = 3;
    constexpr float kMostChange = 40;
    if (pixels.last - pixels.first < kFewPixels) return false;
    bool steep = false;
    for (size_t i = 0; i < cell_.padded; ++i) steep |= std::abs(below_[i] - above_[i]) > kMostChange;
    return !steep;
  }

  void Start(const AxisRun& pixels) {
    const size_t first = pixels.first - rows_.first;
    const size_t last = pixels.last - 1 - rows_.first;
    const float part = rows_.samples[first].part;
    const float step = (rows_.samples[last].part - part) / static_cast<float>(last - first);
    powers_.resize(cell_.padded);
    factors_.resize(cell_.padded);
    for (size_t i = 0; i < cell_.padded; ++i) {
      const float change = step * (below_[i] - above_[i]);
      const float factor = ExpOfNegative(-std::abs(change));
      factors_[i] = change > 0 ? 1 / factor : factor;
      powers_[i] = ExpOfNegative(std::min(ValueOf(i, part) - most_, 0.0f));
    }
  }

  // Returns the probability of a plane, and goes to the next pixel.
  float Step(size_t best) noexcept {
    const float power = powers_[best];
    std::array<float, LabelStrip::kBlock> lanes{};
    for (size_t i = 0; i < cell_.padded; i += lanes.size()) {
      for (size_t lane = 0; lane < lanes.size(); ++lane) {
        lanes[lane] += powers_[i + lane];
        powers_[i + lane] *= factors_[i + lane];
      }
    }
    float sum = 0;
    for (const float lane : lanes) sum += lane;
    return power / sum;
  }

  const GridAxis& rows_;
  const bool probabilities_;
  StopCheck& stop_;
  LabelSink& sink_;
  LabelStrip::Cell cell_;
  std::span<const float> above_;
  std::span<const float> below_;
  float most_ = 0;
  std::vector<size_t> narrow_;  // candidates
  std::vector<float> narrow_above_;
  std::vector<float> narrow_below_;
  std::vector<float> values_;
  std::vector<float> powers_;
  std::vector<float> factors_;
};

}  // namespace

void FindLabels(const Planes& planes, const GridAxis& columns, const GridAxis& rows, size_t image_height, bool probabilities,
                StopCheck& stop, LabelSink& sink) {
  if (planes.count == 0 || columns.samples.empty() || rows.samples.empty()) return;
  // Planes that are lower by this much change no probability by more than 1e-6, all together.
  const float margin = probabilities ? std::log(static_cast<float>(planes.count)) + 14 : 0;
  const std::vector<AxisRun> runs = RunsOf(rows);
  PlaneColumns reader(planes, stop);
  LabelStrip strip(planes.count, runs, margin);
  CellLabels cells(rows, probabilities, stop, sink);
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
    stop.Spend(left.size() + right.size());
    strip.Load(left, right);
    for (size_t x = group.first; x < group.last; ++x) {
      stop.Spend(runs.size());
      strip.Mix(columns.samples[x - columns.first].part, above, below);
      for (size_t run = 0; run < runs.size(); ++run) {
        cells.Write(strip, strip.cell(run), above, below, runs[run], x * image_height);
      }
    }
  }
}

}  // namespace millrace
