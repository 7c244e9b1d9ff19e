// The outlines of masks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "batching/status.h"
#include "image/run_lengths.h"

namespace millrace {

// The polygons of a mask: x and y of their corners in turn.
struct Polygons {
  std::vector<int32_t> coordinates;
  std::vector<uint32_t> ends;  // the end of each polygon in `coordinates`
};

// Appends one polygon for each part of the mask whose pixels share edges. Its corners are those of pixels, clockwise, and no three
// neighbours lie on a line, but at seams: a hole is cut out by going along a seam from the outline to the hole, around it
// counterclockwise, and back along the same seam. So each polygon by itself has the pixels of its part exactly, whether it is filled by
// the even-odd or by the nonzero rule, or by pycocotools. Returns kInvalidArgument for outlines with more than kMaxMaskNumbers coordinates. The counts must
// be those of CheckMask.
Status TracePolygons(const MaskView& mask, Polygons& polygons);

}  // namespace millrace
