#include "image/resample_weights.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "image/resample.h"

namespace millrace {
namespace {

// A filter as a function of the distance in pixels, and the distance from which on it is 0.
struct Kernel {
  double (*weight)(double distance);
  double support;
};

double Sinc(double x) {
  if (x == 0) return 1;
  const double angle = x * std::numbers::pi;
  return std::sin(angle) / angle;
}

double BoxWeight(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }

double BilinearWeight(double x) { return std::max(1 - std::abs(x), 0.0); }

// Pillow has the numbers of the window in single precision, in which their sum is not 1.
double HammingWeight(double x) {
  if (x == 0) return 1;
  return std::abs(x) >= 1 ? 0 : Sinc(x) * (0.54f + 0.46f * std::cos(x * std::numbers::pi));
}

// The cubic convolution of Keys with a = -1/2.
double BicubicWeight(double x) {
  const double d = std::abs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((2.5 - 0.5 * d) * d - 4) * d + 2 : 0;
}

double LanczosWeight(double x) { return x >= -3 && x < 3 ? Sinc(x) * Sinc(x / 3) : 0; }

Kernel KernelOf(ResampleFilter filter) {
  switch (filter) {
    case ResampleFilter::kLanczos:
      return {LanczosWeight, 3};
    case ResampleFilter::kBicubic:
      return {BicubicWeight, 2};
    case ResampleFilter::kHamming:
      return {HammingWeight, 1};
    case ResampleFilter::kBox:
      return {BoxWeight, 0.5};
    case ResampleFilter::kNearest:
    case ResampleFilter::kBilinear:
      break;
  }
  return {BilinearWeight, 1};
}

}  // namespace

AxisWeights WeighAxis(size_t size, size_t new_size, ResampleFilter filter, size_t first, size_t count) {
  const Kernel kernel = KernelOf(filter);
  const double scale = static_cast<double>(size) / static_cast<double>(new_size);
  // Where the image is reduced, the filter spans as many old pixels as it would span new ones.
  const double stretch = std::max(scale, 1.0);
  const double support = kernel.support * stretch;

  AxisWeights axis;
  axis.taps.reserve(count);
  std::vector<double> exact;
  for (size_t i = first; i < first + count; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto begin = static_cast<size_t>(std::max(center - support + 0.5, 0.0));
    const size_t end = std::min(static_cast<size_t>(center + support + 0.5), size);
    exact.clear();
    double sum = 0;
    for (size_t pixel = begin; pixel < end; ++pixel) {
      const double weight = kernel.weight((static_cast<double>(pixel) - center + 0.5) * (1.0 / stretch));
      exact.push_back(weight);
      sum += weight;
    }
    axis.taps.push_back({begin, exact.size(), axis.weights.size()});
    for (const double weight : exact) {
      const double share = (sum == 0 ? weight : weight / sum) * (1 << kWeightBits);
      // Rounds halves away from 0.
      axis.weights.push_back(static_cast<int32_t>(share < 0 ? share - 0.5 : share + 0.5));
    }
  }
  return axis;
}

std::vector<size_t> NearestPixels(size_t size, size_t new_size, size_t first, size_t count) {
  const double step = static_cast<double>(size) / static_cast<double>(new_size);
  std::vector<size_t> pixels;
  pixels.reserve(count);
  // Pillow adds the step up, whose rounding decides where a centre is between two pixels.
  double center = step * 0.5;
  for (size_t i = 0; i < first + count; ++i, center += step) {
    if (i >= first) pixels.push_back(std::min(static_cast<size_t>(center), size - 1));
  }
  return pixels;
}

}  // namespace millrace
