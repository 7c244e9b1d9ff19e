// Greedy generation through the generator, as requests of the addon go.
#pragma once

#include <vector>

#include "bare_generation.h"
#include "generation/generator.h"

namespace millrace::bench {

// Submits a request for each row, all at once or each when the one before it has finished, and waits for all of them.
Status RunGenerator(Generator& generator, const Generation& generation, bool together,
                    std::vector<std::vector<int32_t>>& tokens);

// As many clients as there are rows submit four requests each, one after another, with prompts and numbers of tokens
// between half and all of those given. They are therefore never at the same token.
Status RunClients(Generator& generator, const Generation& generation, std::vector<std::vector<int32_t>>& tokens);

}  // namespace millrace::bench
