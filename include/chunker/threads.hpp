#pragma once

#include <cstdint>
#include <type_traits>

namespace chunker {

/// The three thread words. Every public type states one, beside its definition:
///
///     template <>
///     inline constexpr Threads threads_of<Store> = Threads::shared;
///
/// `const` counts: what nobody changes may be shared although what is being built is not.
enum class Threads : std::uint8_t {
  confined,  ///< Stays with the thread that made it: borrowed views.
  movable,   ///< One thread at a time, may be handed over: buffers, cutters, parsers.
  shared,    ///< Any method from any thread; of plain values any const one.
};

/// Which type it is that has no word is in the compiler's next lines.
template <class T>
consteval Threads without_thread_word() {
  static_assert(!std::is_same_v<T, T>,
                "this type does not state its thread word: specialize chunker::threads_of for it");
  return Threads::confined;
}

/// The thread word of `T`. To ask a type that does not state one is an error of compilation, so that none is forgotten.
template <class T>
inline constexpr Threads threads_of = without_thread_word<T>();

template <class T>
inline constexpr Threads threads_of<const T> = threads_of<T>;

template <class T>
  requires(!std::is_const_v<T> && (std::is_arithmetic_v<T> || std::is_enum_v<T>))
inline constexpr Threads threads_of<T> = Threads::shared;

/// What is not public may say it inside: `static constexpr Threads kThreads = Threads::shared;`
template <class T>
  requires(!std::is_const_v<T> && std::is_same_v<decltype(T::kThreads), const Threads>)
inline constexpr Threads threads_of<T> = T::kThreads;

/// What another thread may be given (R25.2).
template <class T>
concept Sendable = threads_of<T> != Threads::confined;

/// What several threads may use at the same time, without a lock of theirs (R25.1, R25.3).
template <class T>
concept Shareable = threads_of<T> == Threads::shared;

}  // namespace chunker
