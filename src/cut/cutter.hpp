#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "chunker/bytes.hpp"
#include "chunker/error.hpp"
#include "chunker/recipe.hpp"
#include "cut/candidates.hpp"

namespace chunker::cut {

/// No algorithm looks at the first bytes of a chunk: a chunk may begin this many bytes back.
inline constexpr std::uint64_t kUnseenBytes = 16;

/// What a type must offer to be a cutter (R21.1, R21.4). It finds natural cut points: those that the
/// algorithm alone would make. It keeps no input, and the cuts do not depend on how the input is split.
///   validate_params  refuses a recipe with invalid_argument, naming the parameter and its bounds.
///   restart          a chunk begins, and `seen_bytes` of it (at most kUnseenBytes) went by already.
///   scan             goes on through `rest`, the bytes that follow those seen before. The length of the
///                    chunk once that is certain, with `rest` moved on to the cut, or unchanged if the cut
///                    lies one byte before it; call restart() next. Nothing once `rest` is used up: if the
///                    input ends here, the last chunk ends here too.
template <class T>
concept Cutter = std::copyable<T> &&
                 requires(T cutter, const Recipe& recipe, std::uint64_t seen_bytes, Bytes& rest) {
                   { T::validate_params(recipe) } -> std::same_as<Result<void>>;
                   { cutter.restart(seen_bytes) } noexcept -> std::same_as<void>;
                   { cutter.scan(rest) } noexcept -> std::same_as<std::optional<std::uint64_t>>;
                 };

/// What a cutter may offer besides: cut points can be looked for before anyone knows where chunks begin.
///   find_candidates  looks for them in a piece of any stream.
///   follow           from now on `scan` asks `candidates` wherever they cover `rest`. They are borrowed, may change
///                    between calls, and change no cut.
template <class T>
concept ForesightedCutter =
    Cutter<T> && requires(T cutter, Bytes piece, Candidates& found, const Candidates& candidates) {
      { std::as_const(cutter).find_candidates(piece, found) } -> std::same_as<void>;
      { cutter.follow(candidates) } noexcept -> std::same_as<void>;
    };

/// Any cutter behind one small face.
/// Owns:    the cutter; a copy has its own state and shares the tables.
/// Threads: movable.
/// Errors:  none; copying throws std::bad_alloc.
/// Cost:    one virtual call per piece and cut.
class AnyCutter {
 public:
  template <Cutter T>
  [[nodiscard]] static AnyCutter of(T cutter) {
    return AnyCutter(std::make_unique<Model<T>>(std::move(cutter)));
  }

  AnyCutter(const AnyCutter& other) : face_(other.face_->clone()) {}
  AnyCutter(AnyCutter&&) noexcept = default;
  AnyCutter& operator=(const AnyCutter&) = delete;
  AnyCutter& operator=(AnyCutter&&) noexcept = default;

  void restart(std::uint64_t seen_bytes) noexcept { face_->restart(seen_bytes); }
  [[nodiscard]] std::optional<std::uint64_t> scan(Bytes& rest) noexcept {
    return face_->scan(rest);
  }
  /// As ForesightedCutter says; others find nothing.
  void find_candidates(Bytes piece, Candidates& found) const {
    face_->find_candidates(piece, found);
  }
  void follow(const Candidates& candidates) noexcept { face_->follow(candidates); }

 private:
  struct Face {
    virtual ~Face() = default;
    virtual void restart(std::uint64_t seen_bytes) noexcept = 0;
    virtual std::optional<std::uint64_t> scan(Bytes& rest) noexcept = 0;
    virtual void find_candidates(Bytes piece, Candidates& found) const = 0;
    virtual void follow(const Candidates& candidates) noexcept = 0;
    virtual std::unique_ptr<Face> clone() const = 0;
  };
  template <Cutter T>
  struct Model final : Face {
    explicit Model(T c) : cutter(std::move(c)) {}
    void restart(std::uint64_t seen_bytes) noexcept override { cutter.restart(seen_bytes); }
    std::optional<std::uint64_t> scan(Bytes& rest) noexcept override { return cutter.scan(rest); }
    void find_candidates([[maybe_unused]] Bytes piece, Candidates& found) const override {
      found.piece = {};
      if constexpr (ForesightedCutter<T>) cutter.find_candidates(piece, found);
    }
    void follow([[maybe_unused]] const Candidates& candidates) noexcept override {
      if constexpr (ForesightedCutter<T>) cutter.follow(candidates);
    }
    std::unique_ptr<Face> clone() const override { return std::make_unique<Model>(*this); }
    T cutter;
  };

  explicit AnyCutter(std::unique_ptr<Face> face) noexcept : face_(std::move(face)) {}

  std::unique_ptr<Face> face_;
};

}  // namespace chunker::cut
