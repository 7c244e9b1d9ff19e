// Finding boxes: what holds for any output, such as numbers that are none, nothing at all, or very much.
#include "image/boxes.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace millrace {
namespace {

const CanvasGeometry kCanvas = {0, 0, 1, 1, 640, 640, 640, 640};

HeadTensor Tensor(const std::vector<float>& data, std::vector<size_t> dims) {
  return {data, std::move(dims)};
}

std::vector<float> RandomYolo(size_t classes, size_t anchors, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> place(0, 640);
  std::uniform_real_distribution<float> score(0, 1);
  std::vector<float> data((4 + classes) * anchors);
  for (size_t i = 0; i < data.size(); ++i) data[i] = i < 4 * anchors ? place(random) : score(random);
  return data;
}

BoxHead Yolo(size_t classes) {
  BoxHead head;
  head.classes = classes;
  return head;
}

TEST(Boxes, FallByScoreAndStayInTheImage) {
  const std::vector<float> data = RandomYolo(3, 500, 1);
  for (const bool soft : {false, true}) {
    BoxOptions options;
    options.soft = soft;
    std::vector<Box> boxes;
    ASSERT_TRUE(FindBoxes(Yolo(3), {{Tensor(data, {7, 500})}}, kCanvas, options, boxes).ok());
    ASSERT_FALSE(boxes.empty());
    for (size_t i = 0; i < boxes.size(); ++i) {
      if (i != 0) { EXPECT_GE(boxes[i - 1].score, boxes[i].score); }
      EXPECT_GT(boxes[i].score, options.threshold);
      const Corners corners = ClipToImage(ToImage(boxes[i].corners, kCanvas), kCanvas);
      EXPECT_LT(corners[0], corners[2]);
      EXPECT_LT(corners[1], corners[3]);
    }
  }
}

TEST(Boxes, OfRandomBitsHaveFiniteNumbers) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<float> data(8 * 60);
    for (float& value : data) value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    BoxHead head = Yolo(2);
    std::vector<size_t> dims = {8, 60};
    head.extra = 2;
    if (round % 4 == 1) {
      head.objectness = true;
      head.extra = 1;
      dims = {60, 8};
    } else if (round % 4 == 2) {
      head.kind = BoxKind::kYoloNms;
      dims = {60, 8};
    }
    BoxOptions options;
    options.soft = round % 8 < 4;
    std::vector<Box> boxes;
    if (round % 4 == 3) {
      head.kind = BoxKind::kDetr;
      head.softmax = round % 8 == 3;
      const std::span all(data);
      const HeadTensor tensors[] = {{all.first(240), {60, 4}}, {all.last(240), {60, 4}}};
      ASSERT_TRUE(FindBoxes(head, tensors, kCanvas, options, boxes).ok());
    } else {
      ASSERT_TRUE(FindBoxes(head, {{Tensor(data, dims)}}, kCanvas, options, boxes).ok());
    }
    for (const Box& box : boxes) {
      EXPECT_TRUE(std::isfinite(box.score));
      for (const float corner : box.corners) EXPECT_TRUE(std::isfinite(corner));
      EXPECT_GE(box.label, 0);
      EXPECT_LT(box.source, 60);
    }
  }
}

TEST(Boxes, OfNoAnchorsAreNone) {
  std::vector<Box> boxes;
  EXPECT_TRUE(FindBoxes(Yolo(3), {{Tensor({}, {7, 0})}}, kCanvas, {}, boxes).ok());
  EXPECT_TRUE(boxes.empty());
  BoxHead head;
  head.kind = BoxKind::kDetr;
  const HeadTensor tensors[] = {{{}, {0, 5}}, {{}, {0, 4}}};
  EXPECT_TRUE(FindBoxes(head, tensors, kCanvas, {}, boxes).ok());
  head.kind = BoxKind::kListed;
  const HeadTensor listed[] = {{{}, {0, 4}}, {{}, {0}}, {{}, {0}}};
  EXPECT_TRUE(FindBoxes(head, listed, kCanvas, {}, boxes).ok());
  EXPECT_TRUE(boxes.empty());
}

TEST(Boxes, OfLayoutsThatDoNotFitAreRefused) {
  const std::vector<float> data(28);
  std::vector<Box> boxes;
  const auto code = [&](const BoxHead& head, std::vector<size_t> dims) {
    return FindBoxes(head, {{Tensor(data, std::move(dims))}}, kCanvas, {}, boxes).code();
  };
  EXPECT_EQ(code(Yolo(3), {7, 4}), Code::kOk);
  EXPECT_EQ(code(Yolo(3), {4, 7}), Code::kInvalidArgument);
  EXPECT_EQ(code(Yolo(3), {28}), Code::kInvalidArgument);
  EXPECT_EQ(code(Yolo(3), {7, 5}), Code::kInvalidArgument);
  EXPECT_EQ(code(Yolo(3), {size_t{1} << 63, 2}), Code::kInvalidArgument);
  EXPECT_EQ(code(Yolo(0), {4, 7}), Code::kInvalidArgument);
  EXPECT_EQ(code(Yolo(std::numeric_limits<size_t>::max() - 3), {7, 4}), Code::kInvalidArgument);
  BoxHead two = Yolo(3);
  two.kind = BoxKind::kDetr;
  EXPECT_EQ(code(two, {7, 4}), Code::kInvalidArgument);
}

TEST(Boxes, BeyondTheMostCandidatesAreTheWorst) {
  // Scores rise. All boxes lie at one place, where the best one suppresses the others, but the last candidate and the box that is
  // just worse than it, which have places of their own.
  constexpr size_t kBoxes = kMaxCandidates + 500;
  constexpr size_t kLast = kBoxes - kMaxCandidates;
  std::vector<float> data(5 * kBoxes);
  for (size_t i = 0; i < kBoxes; ++i) {
    data[i] = i == kLast ? 100 : i == kLast - 1 ? 200 : 10;
    data[kBoxes + i] = data[2 * kBoxes + i] = data[3 * kBoxes + i] = 10;
    data[4 * kBoxes + i] = 0.5f + static_cast<float>(i) / 65536.0f;
  }
  std::vector<Box> boxes;
  ASSERT_TRUE(FindBoxes(Yolo(1), {{Tensor(data, {5, kBoxes})}}, kCanvas, {}, boxes).ok());
  ASSERT_EQ(boxes.size(), 2u);
  EXPECT_EQ(boxes[0].source, static_cast<int32_t>(kBoxes) - 1);
  EXPECT_EQ(boxes[1].source, static_cast<int32_t>(kLast));
}

TEST(Boxes, BesideTheImageTakeNoPlaceOfOthers) {
  // The image has the left half of the canvas. The two best boxes lie in the margin.
  CanvasGeometry left_half = kCanvas;
  left_half.width = 320;
  const std::vector<float> columns = {400, 500, 100, 200, 50, 50, 50, 50, 20, 20, 20, 20, 20, 20, 20, 20, 0.9f, 0.8f, 0.7f, 0.6f};
  const std::vector<float> corners = {390, 40, 410, 60, 490, 40, 510, 60, 90, 40, 110, 60, 190, 40, 210, 60};
  const std::vector<float> labels(4, 0);
  BoxOptions options;
  options.most = 1;
  for (const bool soft : {false, true}) {
    options.soft = soft;
    std::vector<Box> boxes;
    ASSERT_TRUE(FindBoxes(Yolo(1), {{Tensor(columns, {5, 4})}}, left_half, options, boxes).ok());
    ASSERT_EQ(boxes.size(), 1u);
    EXPECT_EQ(boxes[0].source, 2);
  }
  BoxHead listed;
  listed.kind = BoxKind::kListed;
  const HeadTensor tensors[] = {Tensor(corners, {4, 4}), {std::span(columns).last(4), {4}}, Tensor(labels, {4})};
  std::vector<Box> boxes;
  ASSERT_TRUE(FindBoxes(listed, tensors, left_half, options, boxes).ok());
  ASSERT_EQ(boxes.size(), 1u);
  EXPECT_EQ(boxes[0].source, 2);
}

TEST(Boxes, BesideTheImageSuppressOthers) {
  // As in the references, which cut boxes to the image last.
  CanvasGeometry left_half = kCanvas;
  left_half.width = 320;
  const std::vector<float> columns = {420, 410, 50, 50, 200, 200, 20, 20, 0.9f, 0.8f};
  std::vector<Box> boxes;
  ASSERT_TRUE(FindBoxes(Yolo(1), {{Tensor(columns, {5, 2})}}, left_half, {}, boxes).ok());
  EXPECT_TRUE(boxes.empty());
}

TEST(Boxes, OfWorkThatIsStoppedAreNone) {
  const std::vector<float> data = RandomYolo(3, 500, 1);
  int32_t cancelled = 1;
  std::vector<Box> boxes;
  BoxOptions options;
  options.stop.cancelled = &cancelled;
  EXPECT_EQ(FindBoxes(Yolo(3), {{Tensor(data, {7, 500})}}, kCanvas, options, boxes).code(), Code::kCancelled);
  cancelled = 0;
  EXPECT_TRUE(FindBoxes(Yolo(3), {{Tensor(data, {7, 500})}}, kCanvas, options, boxes).ok());
  options.stop.deadline = SteadyClock().Now();
  EXPECT_EQ(FindBoxes(Yolo(3), {{Tensor(data, {7, 500})}}, kCanvas, options, boxes).code(), Code::kDeadlineExceeded);
}

TEST(Boxes, WhoseOverlapIsTheThresholdStay) {
  // The overlap is a third, rounded up to single precision.
  const std::vector<float> data = {5, 10, 5, 5, 10, 10, 10, 10, 0.75f, 0.5f};
  BoxOptions options;
  options.iou = static_cast<double>(1.0f / 3.0f);
  std::vector<Box> boxes;
  ASSERT_TRUE(FindBoxes(Yolo(1), {{Tensor(data, {5, 2})}}, kCanvas, options, boxes).ok());
  EXPECT_EQ(boxes.size(), 2u);
  options.iou = 1.0 / 3.0;
  boxes.clear();
  ASSERT_TRUE(FindBoxes(Yolo(1), {{Tensor(data, {5, 2})}}, kCanvas, options, boxes).ok());
  EXPECT_EQ(boxes.size(), 1u);
}

}  // namespace
}  // namespace millrace
