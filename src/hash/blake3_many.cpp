#include "hash/blake3_many.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <vector>

#include "base/wire.hpp"
#include "hash/blake3.hpp"

// Inside the official C: the kernels for this processor. Their lanes take one 64-byte block each per step, all as
// far along in their inputs as the others.
extern "C" {
chunker::hash::Blake3Kernel blake3_hash_many;
void blake3_compress_in_place(std::uint32_t cv[8], const std::uint8_t block[64],
                              std::uint8_t block_bytes, std::uint64_t counter, std::uint8_t flags);
}

namespace chunker::hash {
namespace {

constexpr std::size_t kBlockBytes = 64, kLeafBytes = 1024;
/// Bounds the buffers (28 KiB), and is several times as many as there are lanes.
constexpr std::size_t kGroupLeavesMax = 256;
static_assert(kBlake3TogetherBytesMax <= kGroupLeavesMax * kLeafBytes);

constexpr std::uint8_t kLeafStart = 1, kLeafEnd = 2, kParent = 4, kRoot = 8;
constexpr std::uint32_t kKey[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                   0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

/// A chaining value as it stands in a parent's block, and at the root in the digest.
using Node = std::array<std::byte, 32>;

const std::uint8_t* raw(Bytes bytes) noexcept {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

std::size_t leaf_count_of(Bytes input) noexcept {
  return input.size() <= kLeafBytes ? 1 : (input.size() + kLeafBytes - 1) / kLeafBytes;
}

/// What of a leaf its neighbors must have in common with it to share the lanes.
struct LeafShape {
  std::size_t whole_blocks;
  bool ragged;  ///< Ends in a block that is not whole, which no kernel takes.
  bool root;

  LeafShape(Bytes input, std::size_t leaf) noexcept {
    const std::size_t bytes = std::min(input.size() - leaf * kLeafBytes, kLeafBytes);
    whole_blocks = bytes / kBlockBytes;
    ragged = bytes % kBlockBytes != 0 || bytes == 0;
    root = input.size() <= kLeafBytes;
  }
  friend bool operator==(const LeafShape&, const LeafShape&) = default;
};

/// Inputs whose trees are hashed level by level, all in step.
class Forest {
 public:
  explicit Forest(Blake3Kernel& kernel) : kernel_(kernel) {}

  [[nodiscard]] bool has_room_for(Bytes input) const noexcept {
    return leaf_count_ + leaf_count_of(input) <= kGroupLeavesMax;
  }

  /// Inputs come longest first; so those that go on are always the first ones.
  void plant(Bytes input, Digest& digest) noexcept {
    trees_[tree_count_++] = {input, &digest, &nodes_[leaf_count_], leaf_count_of(input)};
    leaf_count_ += leaf_count_of(input);
  }

  void hash() noexcept {
    const std::span<Tree> trees = without_the_tallest();
    hash_leaves(trees);
    while (!trees.empty() && trees[0].node_count > 1) hash_parents(trees);
    for (const Tree& tree : trees) {
      std::memcpy(tree.digest->bytes.data(), tree.nodes->data(), sizeof(Node));
    }
    tree_count_ = leaf_count_ = 0;
  }

 private:
  struct Tree {
    Bytes input;
    Digest* digest;
    Node* nodes;
    std::size_t node_count;
  };

  // A kernel takes about as long for one leaf as for sixteen (1.5 and 2.0 us). Side by side it is called once for
  // each leaf of the tallest tree; a tree alone takes one call for each bit that is set in its number of leaves.
  // Those so much taller than the rest that they are cheaper alone are hashed; the others are returned.
  [[nodiscard]] std::span<Tree> without_the_tallest() noexcept {
    const std::span<Tree> all(trees_.data(), tree_count_);
    std::size_t alone_calls = 0, alone_count = 0, saved_max = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      alone_calls += static_cast<std::size_t>(std::popcount(all[i].node_count));
      const std::size_t next = i + 1 < all.size() ? all[i + 1].node_count : 0;
      const std::size_t saved_calls = all[0].node_count - next;
      if (saved_calls > alone_calls + saved_max) {
        saved_max = saved_calls - alone_calls;
        alone_count = i + 1;
      }
    }
    for (const Tree& tree : all.first(alone_count)) *tree.digest = blake3(tree.input);
    return all.subspan(alone_count);
  }

  // Leaves of one place share a call, since that place is an input to the hash.
  void hash_leaves(std::span<const Tree> trees) noexcept {
    for (std::size_t leaf = 0; !trees.empty() && leaf < trees[0].node_count; ++leaf) {
      std::size_t begin = 0, end = 0;
      for (; begin < trees.size() && leaf < trees[begin].node_count; begin = end) {
        const LeafShape shape(trees[begin].input, leaf);
        while (end < trees.size() && leaf < trees[end].node_count &&
               LeafShape(trees[end].input, leaf) == shape) {
          ++end;
        }
        hash_alike(trees.subspan(begin, end - begin), leaf, shape);
      }
    }
  }

  void hash_alike(std::span<const Tree> alike, std::size_t leaf, LeafShape shape) noexcept {
    const auto end_flags = static_cast<std::uint8_t>(kLeafEnd | (shape.root ? kRoot : 0));
    if (shape.whole_blocks != 0) {
      for (std::size_t i = 0; i < alike.size(); ++i) {
        lanes_[i] = raw(alike[i].input.subspan(leaf * kLeafBytes));
      }
      kernel_(lanes_.data(), alike.size(), shape.whole_blocks, kKey, leaf, false, 0, kLeafStart,
              shape.ragged ? std::uint8_t{0} : end_flags, output());
    }
    for (std::size_t i = 0; i < alike.size(); ++i) {
      if (shape.ragged) finish_ragged(alike[i].input, leaf, shape, end_flags, output_[i]);
      alike[i].nodes[leaf] = output_[i];
    }
  }

  static void finish_ragged(Bytes input, std::size_t leaf, LeafShape shape, std::uint8_t end_flags,
                            Node& node) noexcept {
    const Bytes rest = input.subspan(leaf * kLeafBytes + shape.whole_blocks * kBlockBytes);
    std::uint8_t block[kBlockBytes] = {};
    if (!rest.empty()) std::memcpy(block, rest.data(), rest.size());
    std::uint32_t value[8];
    for (std::size_t i = 0; i < 8; ++i) {
      value[i] = shape.whole_blocks == 0 ? kKey[i] : base::load_le<std::uint32_t>(&node[4 * i]);
    }
    const int flags = end_flags | (shape.whole_blocks == 0 ? kLeafStart : 0);
    blake3_compress_in_place(value, block, static_cast<std::uint8_t>(rest.size()), leaf,
                             static_cast<std::uint8_t>(flags));
    for (std::size_t i = 0; i < 8; ++i) base::store_le(value[i], &node[4 * i]);
  }

  // One level: pairs side by side become one node, one that is left over goes up as it is.
  void hash_parents(std::span<Tree> trees) noexcept {
    const auto last = std::ranges::find_if(trees, [](const Tree& t) { return t.node_count <= 2; });
    const auto done =
        std::find_if(last, trees.end(), [](const Tree& t) { return t.node_count < 2; });
    hash_pairs({trees.begin(), last}, kParent);
    hash_pairs({last, done}, kParent | kRoot);
  }

  void hash_pairs(std::span<Tree> trees, std::uint8_t flags) noexcept {
    std::size_t pair_count = 0;
    for (const Tree& tree : trees) {
      for (std::size_t i = 0; i + 1 < tree.node_count; i += 2) {
        lanes_[pair_count++] = raw(tree.nodes[i]);
      }
    }
    kernel_(lanes_.data(), pair_count, 1, kKey, 0, false, flags, 0, 0, output());
    const Node* next = output_.data();
    for (Tree& tree : trees) {
      const std::size_t parent_count = tree.node_count / 2;
      std::copy_n(next, parent_count, tree.nodes);
      if (tree.node_count % 2 != 0) tree.nodes[parent_count] = tree.nodes[tree.node_count - 1];
      next += parent_count;
      tree.node_count -= parent_count;
    }
  }

  [[nodiscard]] std::uint8_t* output() noexcept {
    return reinterpret_cast<std::uint8_t*>(output_.data()->data());
  }

  Blake3Kernel& kernel_;
  std::size_t tree_count_ = 0, leaf_count_ = 0;
  std::array<Tree, kGroupLeavesMax> trees_;
  std::array<Node, kGroupLeavesMax> nodes_, output_;
  std::array<const std::uint8_t*, kGroupLeavesMax> lanes_;
};

}  // namespace

void blake3_together(std::span<const Bytes> inputs, std::span<Digest> digests,
                     Blake3Kernel& kernel) {
  std::vector<std::size_t> order;
  order.reserve(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].size() > kBlake3TogetherBytesMax) {
      digests[i] = blake3(inputs[i]);
    } else {
      order.push_back(i);
    }
  }
  std::ranges::sort(order, std::ranges::greater{}, [&](std::size_t i) { return inputs[i].size(); });
  Forest forest(kernel);
  for (const std::size_t i : order) {
    if (!forest.has_room_for(inputs[i])) forest.hash();
    forest.plant(inputs[i], digests[i]);
  }
  if (!order.empty()) forest.hash();
}

void blake3_many(std::span<const Bytes> inputs, std::span<Digest> digests) {
  // The processor's features are noted in a plain global on first use (blake3.cpp).
  [[maybe_unused]] static const Digest first = blake3({});
  blake3_together(inputs, digests, blake3_hash_many);
}

}  // namespace chunker::hash
