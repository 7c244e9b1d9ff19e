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
  // Boxes that do not overlap, with scores that rise.
  constexpr size_t kBoxes = kMaxCandidates + 500;
  std::vector<float> data(5 * kBoxes);
  for (size_t i = 0; i < kBoxes; ++i) {
    data[i] = static_cast<float>(i % 200) * 3 + 1.5f;
    data[kBoxes + i] = static_cast<float>(i / 200) * 3 + 1.5f;
    data[2 * kBoxes + i] = data[3 * kBoxes + i] = 2;
    data[4 * kBoxes + i] = 0.5f + static_cast<float>(i) / 65536.0f;
  }
  const CanvasGeometry canvas = {0, 0, 1, 1, 1000, 1000, 1000, 1000};
  BoxOptions options;
  options.most = kMaxCandidates;
  std::vector<Box> boxes;
  ASSERT_TRUE(FindBoxes(Yolo(1), {{Tensor(data, {5, kBoxes})}}, canvas, options, boxes).ok());
  ASSERT_EQ(boxes.size(), kMaxCandidates);
  EXPECT_EQ(boxes.front().source, static_cast<int32_t>(kBoxes) - 1);
  EXPECT_EQ(boxes.back().source, 500);
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
