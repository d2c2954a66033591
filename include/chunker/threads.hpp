#pragma once

#include <cstdint>

namespace chunker {

/// The three thread words that every public type states.
enum class Threads : std::uint8_t {
  confined,  ///< Stays with the thread that made it: borrowed views.
  movable,   ///< One thread at a time, may be handed over: buffers, cutters, parsers.
  shared,    ///< Any method from any thread: stores, registries, resolved options.
};

/// The thread word of `T`. Forgetting to say it is safe: the default is the strictest.
template <class T>
inline constexpr Threads threads_of = Threads::confined;

}  // namespace chunker
