#pragma once

#include <functional>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"

namespace chunker {

/// Takes bytes in order, borrowed during the call. An error stops whoever produces them, and comes
/// back from the call that produced them.
using ByteSink = std::function<Result<void>(Bytes)>;

}  // namespace chunker
