#include "image/grid_axis.h"

#include <algorithm>
#include <cmath>

namespace millrace {
namespace {

GridAxis OnCanvas(double place, double scale, size_t canvas, size_t pixels, size_t size) {
  // The centres of these pixels lie on the canvas.
  const auto first_at = [&](double edge) {
    const double pixel = std::ceil((edge - place) / scale - 0.5);
    return static_cast<size_t>(std::clamp(pixel, 0.0, static_cast<double>(pixels)));
  };
  const double cells = static_cast<double>(size) / static_cast<double>(canvas);
  const double end = (place + scale * static_cast<double>(pixels)) * cells;
  return MakeAxis(first_at(0), first_at(static_cast<double>(canvas)), {scale * cells, place * cells, place * cells, end - 1}, size);
}

// Adds the pixels of a mask as runs.
class RunTarget {
 public:
  RunTarget(size_t image_height, RunWriter& writer) noexcept : image_height_(image_height), writer_(writer) {}

  bool WantsMore() const noexcept { return true; }
  void StartColumn(size_t x) noexcept { place_ = x * image_height_; }
  void AddAll(const AxisRun& run) { writer_.Add(place_ + run.first, run.last - run.first); }
  // `samples` are those of the run's pixels.
  void AddSome(const AxisRun& run, std::span<const AxisSample> samples, auto&& is_in) {
    for (size_t i = 0; i < samples.size(); ++i) {
      if (is_in(samples[i].part)) writer_.Add(place_ + run.first + i, 1);
    }
  }

 private:
  const size_t image_height_;
  RunWriter& writer_;
  size_t place_ = 0;
};

// Counts the pixels of a mask, until there are more than `most`.
class AreaTarget {
 public:
  explicit AreaTarget(size_t most) noexcept : most_(most) {}

  bool WantsMore() const noexcept { return area_ <= most_; }
  void StartColumn(size_t) noexcept {}
  void AddAll(const AxisRun& run) noexcept { area_ += run.last - run.first; }
  void AddSome(const AxisRun&, std::span<const AxisSample> samples, auto&& is_in) noexcept {
    // Without branches, so that compilers compare several at a time.
    uint32_t count = 0;
    for (const AxisSample& sample : samples) count += is_in(sample.part) ? 1 : 0;
    area_ += count;
  }

  size_t area() const noexcept { return area_; }

 private:
  const size_t most_;
  size_t area_ = 0;
};

// Finds the pixels at which the interpolated grid is at least `threshold`, column by column, until the target wants no more.
template <typename Target>
void FindGridMask(const GridColumns& grid, const GridAxis& columns, const GridAxis& rows, float threshold, StopCheck& stop,
                  Target& target) {
  const std::vector<AxisRun> runs = RunsOf(rows);
  std::vector<float> values(grid.height);
  const std::span<const float> all = grid.values;
  const std::span<const AxisSample> samples = rows.samples;
  for (size_t x = columns.first; x < columns.last() && target.WantsMore(); ++x) {
    stop.Spend(grid.height + samples.size());
    const auto [cell, part] = columns.samples[x - columns.first];
    const auto left = all.subspan(cell * grid.height, grid.height);
    const auto right = all.subspan(std::min<size_t>(cell + 1, columns.size - 1) * grid.height, grid.height);
    for (size_t y = 0; y < grid.height; ++y) values[y] = (1 - part) * left[y] + part * right[y];
    target.StartColumn(x);
    for (const AxisRun& run : runs) {
      const float above = values[run.cell];
      const float below = values[std::min<size_t>(run.cell + 1, values.size() - 1)];
      if (above >= threshold && below >= threshold) {
        target.AddAll(run);
      } else if (above >= threshold || below >= threshold) {
        target.AddSome(run, samples.subspan(run.first - rows.first, run.last - run.first),
                       [&](float weight) { return (1 - weight) * above + weight * below >= threshold; });
      }
    }
  }
}

}  // namespace

GridAxis MakeAxis(size_t first, size_t last, const AxisPlace& place, size_t size) {
  GridAxis axis;
  axis.first = first;
  axis.size = size;
  if (size == 0) return axis;
  const double low = std::clamp(place.low, 0.0, static_cast<double>(size - 1));
  const double high = std::clamp(place.high, low, static_cast<double>(size - 1));
  for (size_t pixel = first; pixel < last; ++pixel) {
    const double within = std::clamp((static_cast<double>(pixel) + 0.5) * place.scale + place.offset - 0.5, low, high);
    const double cell = std::floor(within);
    axis.samples.push_back({static_cast<uint32_t>(cell), static_cast<float>(within - cell)});
  }
  return axis;
}

GridAxis ColumnsOf(const CanvasGeometry& geometry, size_t size) {
  return OnCanvas(geometry.left, geometry.scale_x, geometry.canvas_width, geometry.width, size);
}

GridAxis RowsOf(const CanvasGeometry& geometry, size_t size) {
  return OnCanvas(geometry.top, geometry.scale_y, geometry.canvas_height, geometry.height, size);
}

void KeepPixels(size_t first, size_t last, GridAxis& axis) {
  const size_t begin = std::clamp(first, axis.first, axis.last());
  const size_t end = std::clamp(last, begin, axis.last());
  const auto at = [&](size_t pixel) { return axis.samples.begin() + static_cast<std::ptrdiff_t>(pixel - axis.first); };
  axis.samples = std::vector(at(begin), at(end));
  axis.first = begin;
}

void KeepCells(size_t first, size_t last, GridAxis& axis) {
  const auto cell_of = [](const AxisSample& sample) { return size_t{sample.cell}; };
  const auto begin = std::ranges::lower_bound(axis.samples, first, {}, cell_of) - axis.samples.begin();
  const auto end = std::ranges::lower_bound(axis.samples, last, {}, cell_of) - axis.samples.begin();
  KeepPixels(axis.first + static_cast<size_t>(begin), axis.first + static_cast<size_t>(end), axis);
  for (AxisSample& sample : axis.samples) sample.cell -= static_cast<uint32_t>(first);
  axis.size = last - first;
}

std::vector<AxisRun> RunsOf(const GridAxis& axis) {
  constexpr float kRounding = 1e-5f;
  std::vector<AxisRun> runs;
  const auto goes_on = [&](size_t i) {
    if (runs.empty() || runs.back().cell != axis.samples[i].cell) return false;
    if (axis.first + i - runs.back().first < 2) return true;
    const float step = axis.samples[i - 1].part - axis.samples[i - 2].part;
    return std::abs(axis.samples[i].part - axis.samples[i - 1].part - step) < kRounding;
  };
  for (size_t i = 0; i < axis.samples.size(); ++i) {
    if (!goes_on(i)) runs.push_back({axis.samples[i].cell, axis.first + i, 0});
    runs.back().last = axis.first + i + 1;
  }
  return runs;
}

void WriteGridMask(const GridColumns& grid, const GridAxis& columns, const GridAxis& rows, float threshold,
                   size_t image_height, StopCheck& stop, RunWriter& writer) {
  RunTarget target(image_height, writer);
  FindGridMask(grid, columns, rows, threshold, stop, target);
}

size_t AreaOfGridMask(const GridColumns& grid, const GridAxis& columns, const GridAxis& rows, float threshold, size_t most,
                      StopCheck& stop) {
  AreaTarget target(most);
  FindGridMask(grid, columns, rows, threshold, stop, target);
  return target.area();
}

}  // namespace millrace
