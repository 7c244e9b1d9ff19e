// How the function that lays images on canvases reads its arguments.
#pragma once

#include <cstdint>
#include <span>

#include "batching/status.h"
#include "image/canvas.h"

namespace millrace {

// Reads a job from the numbers that JavaScript passes, and checks all of it. `words` are: width, height and channels of
// the pixels; width, height and filter; width and height of the canvas, left, top; layout, channels, reverse (1 or 0),
// scale; and for each channel its fill, then its mean, then its deviation. `data` are the pixels. Returns
// kInvalidArgument, with a sentence for people, if something is not as the types say, a side is longer than kMaxImageSide, a
// deviation is 0, or the canvas has more than kMaxCanvasBytes.
Status ReadPlaceJob(std::span<const double> words, std::span<const uint8_t> data, PlaceJob& job);

}  // namespace millrace
