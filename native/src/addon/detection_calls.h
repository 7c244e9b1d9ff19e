// The functions of the addon that read boxes and masks from the outputs of vision models. All work on a thread of the
// runtime's pool and return promises; typed arrays must not change until those settle. native/detections.ts calls them.
#pragma once

#include "addon/node_addon_api.h"

namespace millrace {

// Adds to `exports`:
//
// findBoxes(head, geometry, options, classes, cancelled, ...tensors): Promise<[corners, scores, classes, sources]>
// `head`, `geometry` and `options` are Float64Arrays in the order of the enums in detection_arguments.h, `classes` is an
// Int32Array or null, `cancelled` is an Int32Array of one element or null, and each tensor is a Float32Array and a Float64Array of
// its dimensions. Returns ArrayBuffers. Any number but 0 in `cancelled`, which may be set at any time, cancels the work.
//
// findSegments(head, geometry, options, classes, cancelled, ...tensors): Promise<[numbers, counts[]]>
// Takes the same arguments. `numbers` has seven doubles for each segment: class, score, area, and the left, the top, the width and
// the height of its box. `counts` has an ArrayBuffer of 32-bit counts for each.
//
// maskBitmap(counts, width, height): Promise<ArrayBuffer>
// Returns the mask as [height, width] bytes of 0 and 255.
//
// maskPolygons(counts, width, height): Promise<[coordinates, ends]>
// Returns 32-bit coordinates, x and y in turn, and where in them each polygon ends.
void AddDetections(Napi::Env env, Napi::Object exports);

}  // namespace millrace
