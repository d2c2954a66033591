#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "chunker/algorithm.hpp"
#include "chunker/bytes.hpp"
#include "chunker/digest.hpp"
#include "chunker/error.hpp"
#include "chunker/threads.hpp"

namespace chunker {

/// Turns bytes into a digest; which one decides the names of a store's chunks.
/// Owns:    a share of its (immutable) implementation; copying is cheap.
/// Threads: shared.
/// Errors:  hashing itself cannot fail.
/// Cost:    one indirect call per hash.
class HashAlgorithm {
 public:
  /// SHA-256 (FIPS 180-4) by OpenSSL, which uses SHA-NI or Arm SHA2 where the processor has them.
  [[nodiscard]] static HashAlgorithm sha256();
  /// BLAKE3, 32-byte output, by the official C implementation with its SIMD kernels.
  [[nodiscard]] static HashAlgorithm blake3();
  /// A caller's own function under its own name (R21.2). `function` must be callable from any thread at
  /// once and must always give the same digest for the same bytes.
  /// Errors: invalid_argument when the name is empty, longer than 32 characters, not [a-z0-9_-] or a
  /// built-in's, or the function is empty.
  [[nodiscard]] static Result<HashAlgorithm> custom(std::string name,
                                                    std::function<Digest(Bytes)> function);
  /// The same for a function object that says it is deprecated.
  template <DeprecatedAlgorithm Function>
  [[deprecated(
      "this hash says so; its member `deprecated` tells what to use "
      "instead")]] [[nodiscard]] static Result<HashAlgorithm>
  custom(std::string name, Function function) {
    return custom_deprecated(std::move(name), std::move(function), Function::deprecated);
  }
  /// The built-in of this name. Errors: unsupported.
  [[nodiscard]] static Result<HashAlgorithm> named(std::string_view name);

  [[nodiscard]] std::string_view name() const noexcept;
  /// What it is called in caches, metrics, logs and benchmarks.
  [[nodiscard]] AlgorithmInfo info() const;
  [[nodiscard]] Digest hash(Bytes bytes) const;
  /// Hashes every input into the output of the same index; `digests.size() == inputs.size()`. Bytes that occur
  /// several times among the inputs are hashed once (R5.2).
  void hash_many(std::span<const Bytes> inputs, std::span<Digest> digests) const;

  /// Whether both are the same built-in, or copies of one custom one.
  friend bool operator==(const HashAlgorithm&, const HashAlgorithm&) noexcept = default;

 private:
  [[nodiscard]] static Result<HashAlgorithm> custom_deprecated(
      std::string name, std::function<Digest(Bytes)> function, std::string_view deprecated);

  struct Implementation;
  explicit HashAlgorithm(std::shared_ptr<const Implementation> implementation);
  std::shared_ptr<const Implementation> implementation_;
};

template <>
inline constexpr Threads threads_of<HashAlgorithm> = Threads::shared;

/// SHA-256 of bytes that arrive in pieces: the name of a whole NAR.
/// Owns:    its state.
/// Threads: movable.
/// Errors:  std::bad_alloc, and then every stream is as it was.
/// Cost:    about 0.6 ns a byte with SHA-NI.
class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  ~Sha256Stream();

  void update(Bytes bytes);
  /// The next piece of each of several streams, all different ones: with SHA-NI several streams
  /// of pieces as long as each other are hashed faster than one by one (bench/RESULTS.md, "Hashing").
  static void update_many(std::span<Sha256Stream* const> streams, std::span<const Bytes> pieces);
  /// The digest of all bytes so far; the stream then starts afresh.
  [[nodiscard]] Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

template <>
inline constexpr Threads threads_of<Sha256Stream> = Threads::movable;

}  // namespace chunker
