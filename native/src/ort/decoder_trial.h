// Finds out by a few runs what a decoder can do.
#pragma once

#include "generation/decoder.h"

namespace millrace {

struct DecoderTrial {
  // As in DecoderFacts.
  bool chunks = false;
  bool mixed_lengths = false;
  // Whether the logits of a row do not depend on the other rows of its run, apart from rounding. They do if activations
  // are quantized by their range over all rows.
  bool independent_rows = false;
};

// Runs random tokens in one way and another, and compares the logits. It uses what the decoder's facts claim, and tries
// nothing that they deny. `tolerance` is how much rounding changes logits, in units of the range of a row's logits.
//
// Returns the error of a plain run without and with a cache, since such a decoder is useless. Another run that fails is
// something that the decoder cannot do.
Status TryDecoder(Decoder& decoder, float tolerance, DecoderTrial& trial);

}  // namespace millrace
