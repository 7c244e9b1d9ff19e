// Masks, outlines and labels: what holds for any mask or any output.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "image/grid_axis.h"
#include "image/label_map.h"
#include "image/polygons.h"
#include "image/run_lengths.h"
#include "image/segments.h"

namespace millrace {
namespace {

using Bitmap = std::vector<uint8_t>;

Mask MaskOf(const Bitmap& rows, size_t width, size_t height) {
  CountBudget budget;
  RunWriter writer(width, height, budget);
  for (size_t x = 0; x < width; ++x) {
    for (size_t y = 0; y < height; ++y) {
      if (rows[y * width + x] != 0) writer.Add(x * height + y, 1);
    }
  }
  return writer.Finish();
}

Bitmap RandomBitmap(size_t width, size_t height, double density, uint32_t seed) {
  std::mt19937 random(seed);
  std::bernoulli_distribution has(density);
  Bitmap bitmap(width * height);
  for (uint8_t& value : bitmap) value = has(random) ? 255 : 0;
  return bitmap;
}

// Fills polygons by the even-odd rule.
Bitmap Fill(const Polygons& polygons, size_t width, size_t height) {
  Bitmap bitmap(width * height);
  size_t first = 0;
  for (const uint32_t end : polygons.ends) {
    for (size_t i = first; i < end; i += 2) {
      const size_t next = i + 2 < end ? i + 2 : first;
      const int32_t x = polygons.coordinates[i];
      const auto [top, bottom] = std::minmax(polygons.coordinates[i + 1], polygons.coordinates[next + 1]);
      EXPECT_TRUE(x == polygons.coordinates[next] || top == bottom);
      for (int32_t y = top; y < bottom; ++y) {
        for (auto column = static_cast<size_t>(x); column < width; ++column) {
          bitmap[static_cast<size_t>(y) * width + column] ^= 255;
        }
      }
    }
    first = end;
  }
  return bitmap;
}

TEST(Masks, OfAnyBitmapBecomeItAgain) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    const size_t width = 1 + seed * 3;
    const size_t height = 1 + (seed * 7) % 50;
    const Bitmap bitmap = RandomBitmap(width, height, (seed % 11) / 10.0, seed);
    const Mask mask = MaskOf(bitmap, width, height);
    const MaskView view = {width, height, mask.counts};
    ASSERT_TRUE(CheckMask(view).ok());
    Bitmap again(width * height);
    WriteBitmap(view, again.data());
    EXPECT_EQ(again, bitmap);
    Polygons polygons;
    ASSERT_TRUE(TracePolygons(view, polygons).ok());
    EXPECT_EQ(Fill(polygons, width, height), bitmap) << "seed " << seed;
  }
}

TEST(Masks, WithRingsInRingsHaveAPolygonForEach) {
  constexpr size_t kSide = 21;
  Bitmap bitmap(kSide * kSide);
  for (size_t y = 0; y < kSide; ++y) {
    for (size_t x = 0; x < kSide; ++x) {
      const size_t ring = std::min({x, y, kSide - 1 - x, kSide - 1 - y});
      bitmap[y * kSide + x] = ring % 2 == 0 ? 255 : 0;
    }
  }
  const Mask mask = MaskOf(bitmap, kSide, kSide);
  Polygons polygons;
  ASSERT_TRUE(TracePolygons({kSide, kSide, mask.counts}, polygons).ok());
  EXPECT_EQ(polygons.ends.size(), 6u);
  EXPECT_EQ(Fill(polygons, kSide, kSide), bitmap);
}

TEST(Masks, WithTooManyCornersHaveNoPolygons) {
  constexpr size_t kWidth = 1500;
  constexpr size_t kHeight = 1500;
  // Single pixels.
  Bitmap bitmap(kWidth * kHeight);
  for (size_t y = 0; y < kHeight; y += 2) {
    for (size_t x = 0; x < kWidth; x += 2) bitmap[y * kWidth + x] = 255;
  }
  const Mask mask = MaskOf(bitmap, kWidth, kHeight);
  Polygons polygons;
  EXPECT_EQ(TracePolygons({kWidth, kHeight, mask.counts}, polygons).code(), Code::kInvalidArgument);
  EXPECT_LE(polygons.coordinates.size(), kMaxMaskNumbers + 100);
}

TEST(Masks, OfCountsThatOverflowAreRefused) {
  const std::vector<uint32_t> counts(1000, std::numeric_limits<uint32_t>::max());
  EXPECT_EQ(CheckMask({10, 10, counts}).code(), Code::kInvalidArgument);
  EXPECT_EQ(CheckMask({size_t{1} << 40, size_t{1} << 40, counts}).code(), Code::kInvalidArgument);
  const std::vector<uint32_t> empty(7, 0);
  EXPECT_EQ(CheckMask({10, 10, empty}).code(), Code::kInvalidArgument);
}

TEST(Masks, HaveNoMoreCountsThanTheirBudget) {
  CountBudget budget;
  budget.Take(kMaxMaskNumbers);
  RunWriter writer(4, 4, budget);
  EXPECT_THROW(writer.Add(2, 1), StatusError);
}

TEST(Masks, WithTooManyRunsAreRefusedForGood) {
  // Neighbouring columns of one image, each with a run for every second pixel.
  constexpr size_t kSide = 4096;
  std::vector<float> data(2 * kSide);
  for (size_t i = 0; i < kSide; ++i) data[i % 2 * kSide + i] = 1;
  const std::vector<HeadTensor> tensors = {{data, {2, kSide, 1}}};
  const CanvasGeometry geometry = {0, 0, 1, 1, kSide, kSide, kSide, kSide};
  std::vector<Segment> segments;
  const Status status = FindSegments({{}, tensors, geometry, {}}, segments);
  EXPECT_EQ(status.code(), Code::kUnimplemented);
  EXPECT_NE(status.message().find("4000000 counts"), std::string::npos);
}

TEST(Masks, HaveTheAreaThatIsCountedWithoutThem) {
  std::mt19937 random(9);
  std::normal_distribution<float> value(0, 3);
  for (const auto& [height, width] : {std::pair<size_t, size_t>{40, 60}, {7, 5}, {300, 2}, {91, 87}}) {
    GridColumns grid;
    grid.height = 6;
    grid.values.resize(6 * 33);
    for (float& one : grid.values) one = value(random);
    const CanvasGeometry geometry = {0.3, -4.7, 0.7, 1.3, 50, 40, width, height};
    const GridAxis columns = ColumnsOf(geometry, 33);
    const GridAxis rows = RowsOf(geometry, 6);
    const StopRule never;
    StopCheck stop(never);
    for (const float threshold : {-2.0f, 0.0f, 2.0f}) {
      CountBudget budget;
      RunWriter writer(width, height, budget);
      WriteGridMask(grid, columns, rows, threshold, height, stop, writer);
      const size_t area = writer.area();
      EXPECT_EQ(AreaOfGridMask(grid, columns, rows, threshold, area, stop), area);
      if (area > 1) { EXPECT_GT(AreaOfGridMask(grid, columns, rows, threshold, area / 2, stop), area / 2); }
    }
  }
}

// Labels and probabilities computed in double precision, plane by plane.
class Reference final : public LabelSink {
 public:
  Reference(const Planes& planes, const GridAxis& columns, const GridAxis& rows, size_t height)
      : planes_(planes), columns_(columns), rows_(rows), height_(height) {}

  void Add(uint32_t label, size_t place, size_t length, double probability) override {
    double expected = 0;
    for (size_t i = place; i < place + length; ++i) {
      std::vector<double> values(planes_.count);
      for (size_t c = 0; c < planes_.count; ++c) values[c] = ValueAt(c, i / height_, i % height_);
      const double most = *std::ranges::max_element(values);
      EXPECT_NEAR(values[label], most, 1e-3) << "at " << i;
      double sum = 0;
      for (const double value : values) sum += std::exp(value - values[label]);
      expected += 1 / sum;
    }
    EXPECT_NEAR(probability, expected, 3e-5 * static_cast<double>(length));
    pixels += length;
  }

  size_t pixels = 0;

 private:
  double ValueAt(size_t plane, size_t x, size_t y) const {
    const auto [column, part_x] = columns_.samples[x - columns_.first];
    const auto [row, part_y] = rows_.samples[y - rows_.first];
    const auto at = [&](size_t dx, size_t dy) {
      const size_t cx = std::min<size_t>(column + dx, planes_.width - 1);
      const size_t cy = std::min<size_t>(row + dy, planes_.height - 1);
      return static_cast<double>(planes_.values[(plane * planes_.height + cy) * planes_.width + cx]);
    };
    return (1 - part_y) * ((1 - part_x) * at(0, 0) + part_x * at(1, 0)) + part_y * ((1 - part_x) * at(0, 1) + part_x * at(1, 1));
  }

  const Planes& planes_;
  const GridAxis& columns_;
  const GridAxis& rows_;
  const size_t height_;
};

TEST(Labels, AndProbabilitiesAreThoseOfAllPlanes) {
  std::mt19937 random(5);
  for (const double spread : {0.5, 5.0, 30.0, 300.0}) {
    for (const auto& [height, width] : {std::pair<size_t, size_t>{40, 60}, {7, 5}, {300, 2}}) {
      std::normal_distribution<float> logit(0, static_cast<float>(spread));
      std::vector<float> values(20 * 6 * 33);
      for (float& value : values) value = logit(random);
      const Planes planes = {values, 20, 6, 33};
      const CanvasGeometry geometry = {0.3, -4.7, 0.7, 1.3, 50, 40, width, height};
      const GridAxis columns = ColumnsOf(geometry, planes.width);
      const GridAxis rows = RowsOf(geometry, planes.height);
      Reference sink(planes, columns, rows, height);
      const StopRule never;
      StopCheck stop(never);
      FindLabels(planes, columns, rows, height, true, stop, sink);
      EXPECT_EQ(sink.pixels, columns.samples.size() * rows.samples.size());
    }
  }
}

TEST(Segments, OfRandomBitsHaveFiniteScores) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<float> data(240 + 5 * 48);
    for (float& value : data) value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    if (round % 3 == 0) {
      for (float& value : data) value = std::isfinite(value) && std::abs(value) < 1e6f ? value : 0.75f;
    }
    const std::span all(data);
    const CanvasGeometry geometry = {1.5, -2, 0.5, 0.25, 16, 12, 30, 40};
    SegmentOptions options;
    options.boxes.threshold = 0;
    SegmentHead head;
    head.kind = static_cast<SegmentKind>(round % 4);
    head.in_boxes = round % 8 < 4;
    std::vector<HeadTensor> tensors;
    if (head.kind == SegmentKind::kSemantic) tensors = {{all.first(240), {5, 6, 8}}};
    if (head.kind == SegmentKind::kYoloSeg) {
      head.boxes.classes = 3;
      head.boxes.extra = 5;
      tensors = {{all.first(240), {12, 20}}, {all.last(240), {5, 6, 8}}};
    }
    if (head.kind == SegmentKind::kMaskRcnn) {
      tensors = {{all.first(20), {5, 4}}, {all.subspan(20, 5), {5}}, {all.subspan(25, 5), {5}}, {all.last(240), {5, 1, 6, 8}}};
    }
    if (head.kind == SegmentKind::kMaskformer) tensors = {{all.first(20), {5, 4}}, {all.last(240), {5, 6, 8}}};
    std::vector<Segment> segments;
    ASSERT_TRUE(FindSegments({head, tensors, geometry, options}, segments).ok());
    for (const Segment& segment : segments) {
      EXPECT_TRUE(std::isfinite(segment.score));
      EXPECT_GT(segment.mask.area, 0u);
      EXPECT_TRUE(CheckMask({segment.mask.width, segment.mask.height, segment.mask.counts}).ok());
    }
  }
}

// Outputs that every head has work with.
struct Outputs {
  SegmentHead head;
  std::vector<HeadTensor> tensors;
};

std::vector<Outputs> OutputsOfAllKinds(std::span<const float> ones) {
  std::vector<Outputs> all(4);
  for (size_t kind = 0; kind < all.size(); ++kind) all[kind].head.kind = static_cast<SegmentKind>(kind);
  all[0].tensors = {{ones.first(240), {5, 6, 8}}};
  all[1].head.boxes.classes = 3;
  all[1].head.boxes.extra = 5;
  all[1].tensors = {{ones.first(240), {12, 20}}, {ones.first(240), {5, 6, 8}}};
  all[2].tensors = {{ones.first(20), {5, 4}}, {ones.first(5), {5}}, {ones.first(5), {5}}, {ones.first(240), {5, 1, 6, 8}}};
  all[3].tensors = {{ones.first(20), {5, 4}}, {ones.first(240), {5, 6, 8}}};
  return all;
}

TEST(Segments, OfWorkThatIsStoppedAreNone) {
  const std::vector<float> ones(240, 1);
  const CanvasGeometry geometry = {0, 0, 1, 1, 16, 12, 16, 12};
  for (const auto& [head, tensors] : OutputsOfAllKinds(ones)) {
    SegmentOptions options;
    options.boxes.threshold = 0;
    int32_t cancelled = 1;
    options.boxes.stop.cancelled = &cancelled;
    std::vector<Segment> segments;
    EXPECT_EQ(FindSegments({head, tensors, geometry, options}, segments).code(), Code::kCancelled);
    cancelled = 0;
    EXPECT_TRUE(FindSegments({head, tensors, geometry, options}, segments).ok());
    options.boxes.stop.deadline = SteadyClock().Now();
    EXPECT_EQ(FindSegments({head, tensors, geometry, options}, segments).code(), Code::kDeadlineExceeded);
  }
}

TEST(Segments, OfBoxesWhoseEndsOverflowAreLaidIntoTheImage) {
  const std::vector<float> box = {-3e38f, 0, 3e38f, 10};
  const std::vector<float> ones(16, 1);
  const std::vector<HeadTensor> tensors = {
      {box, {1, 4}}, {std::span(ones).first(1), {1}}, {std::span(ones).first(1), {1}}, {ones, {1, 1, 4, 4}}};
  const CanvasGeometry geometry = {0, 0, 1e-6, 1, 20, 10, 20, 10};
  SegmentHead head;
  head.kind = SegmentKind::kMaskRcnn;
  head.in_boxes = true;
  std::vector<Segment> segments;
  ASSERT_TRUE(FindSegments({head, tensors, geometry, {}}, segments).ok());
  ASSERT_EQ(segments.size(), 1u);
  EXPECT_EQ(segments[0].mask.area, 200u);
}

TEST(Segments, OfAnImageThatTheCanvasDoesNotShowAreNone) {
  const std::vector<float> data(2 * 4 * 4, 1);
  const std::vector<HeadTensor> tensors = {{data, {2, 4, 4}}};
  const CanvasGeometry geometry = {500, 0, 1, 1, 64, 64, 32, 32};
  std::vector<Segment> segments;
  ASSERT_TRUE(FindSegments({{}, tensors, geometry, {}}, segments).ok());
  EXPECT_TRUE(segments.empty());
}

}  // namespace
}  // namespace millrace
