#include <unistd.h>

#include "store/numbered_packs.hpp"

// Adds packs to the index in argv[1] until it is killed (index_sharing_test.cpp does that), and writes a
// byte to standard output for each.
int main(int, char** argv) {
  namespace store = chunker::store;
  const auto index = store::Index::open(argv[1], store::Index::Access::write);
  if (!index) return 1;
  for (std::uint64_t pack = (*index)->highest_sequence().value_or(0);; ++pack) {
    if (!store::add_pack(**index, pack) || ::write(STDOUT_FILENO, "x", 1) != 1) return 1;
    if (pack % 4 == 0 && !(*index)->flush()) return 1;
  }
}
