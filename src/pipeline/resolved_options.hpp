#pragma once

#include "chunker/chunking.hpp"
#include "cut/cutter.hpp"

namespace chunker {

struct ResolvedOptions::Parts {
  Recipe recipe;
  cut::AnyCutter cutter;  // at the beginning of a stream; to be copied
};

}  // namespace chunker
