#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

// Gives a fuzz target what it found before, without libFuzzer: a fault that was mended must not come back.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

TEST(Replay, NFR3_1_EveryInputOfTheCorpusPasses) {
  const char* const corpus = std::getenv("CHUNKER_CORPUS");
  ASSERT_NE(corpus, nullptr) << "it names the folder of inputs";
  std::vector<std::filesystem::path> files(std::filesystem::directory_iterator(corpus), {});
  std::ranges::sort(files);
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    SCOPED_TRACE(file.filename());
    std::ifstream in(file, std::ios::binary);
    const std::vector<char> bytes(std::istreambuf_iterator<char>(in), {});
    EXPECT_EQ(
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()),
        0);
  }
}

}  // namespace
