#pragma once

namespace chunker::cli {

/// The program: reads its arguments, does what they ask for and gives its exit code.
[[nodiscard]] int run(int argument_count, const char* const* arguments);

}  // namespace chunker::cli
