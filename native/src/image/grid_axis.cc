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

// Finds the pixels of a column, whose values are those of `ends` above and below each cell.
class ColumnMask {
 public:
  ColumnMask(const GridAxis& rows, std::span<const AxisRun> runs, float threshold, RunWriter& writer) noexcept
      : rows_(rows), runs_(runs), threshold_(threshold), writer_(writer) {}

  // `place` is that of the column's pixel 0.
  void Write(std::span<const float> values, size_t place) {
    for (const AxisRun& run : runs_) {
      const float above = values[run.cell];
      const float below = values[std::min<size_t>(run.cell + 1, values.size() - 1)];
      const bool both = above >= threshold_ && below >= threshold_;
      if (both) {
        writer_.Add(place + run.first, run.last - run.first);
      } else if (above >= threshold_ || below >= threshold_) {
        WriteCell(above, below, run, place);
      }
    }
  }

 private:
  void WriteCell(float above, float below, const AxisRun& run, size_t place) {
    for (size_t y = run.first; y < run.last; ++y) {
      const float part = rows_.samples[y - rows_.first].part;
      if ((1 - part) * above + part * below >= threshold_) writer_.Add(place + y, 1);
    }
  }

  const GridAxis& rows_;
  const std::span<const AxisRun> runs_;
  const float threshold_;
  RunWriter& writer_;
};

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
  std::vector<AxisRun> runs;
  for (size_t i = 0; i < axis.samples.size(); ++i) {
    const uint32_t cell = axis.samples[i].cell;
    if (runs.empty() || runs.back().cell != cell) runs.push_back({cell, axis.first + i, 0});
    runs.back().last = axis.first + i + 1;
  }
  return runs;
}

void WriteGridMask(const GridColumns& grid, const GridAxis& columns, const GridAxis& rows, float threshold,
                   size_t image_height, RunWriter& writer) {
  const std::vector<AxisRun> runs = RunsOf(rows);
  ColumnMask column(rows, runs, threshold, writer);
  std::vector<float> values(grid.height);
  const std::span<const float> all = grid.values;
  for (size_t x = columns.first; x < columns.last(); ++x) {
    const auto [cell, part] = columns.samples[x - columns.first];
    const auto left = all.subspan(cell * grid.height, grid.height);
    const auto right = all.subspan(std::min<size_t>(cell + 1, columns.size - 1) * grid.height, grid.height);
    for (size_t y = 0; y < grid.height; ++y) values[y] = (1 - part) * left[y] + part * right[y];
    column.Write(values, x * image_height);
  }
}

}  // namespace millrace
