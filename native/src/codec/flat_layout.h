// The layout of a flat request: one block of memory in which the addon lays out a small request for
// JavaScript. native/layout.ts repeats these constants, and test/rules compares the two files.
//
// The first kFlatLayoutBytes of the block hold 32-bit integers: the header, then for each input
// kFlatInputWords integers and its shape, then for each output the length of its name. The elements of the
// inputs follow from byte kFlatLayoutBytes on, each tensor at a multiple of 8 bytes.
#pragma once

namespace millrace {

inline constexpr int kFlatLayoutBytes = 4096;

// The indexes of the header's integers, and their number, kFlatWords. The number of outputs is kFlatNoOutputs if the
// request has no list of outputs.
inline constexpr int kFlatInputs = 0;
inline constexpr int kFlatOutputs = 1;
inline constexpr int kFlatIdLength = 2;
inline constexpr int kFlatWords = 3;
inline constexpr int kFlatNoOutputs = -1;

// The indexes of an input's integers: the length of its name, its ElementType, its rank, the offset of its elements (in
// bytes from the start of the block), and their number.
inline constexpr int kFlatInputNameLength = 0;
inline constexpr int kFlatInputType = 1;
inline constexpr int kFlatInputRank = 2;
inline constexpr int kFlatInputOffset = 3;
inline constexpr int kFlatInputElements = 4;
inline constexpr int kFlatInputWords = 5;

}  // namespace millrace
