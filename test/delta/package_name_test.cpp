#include "delta/package_name.hpp"

#include <gtest/gtest.h>

namespace chunker::delta {
namespace {

constexpr std::string_view kHash = "0123456789abcdfghijklmnpqrsvwxyz";

struct Example {
  std::string_view name;
  std::string_view package;
};

// What Nix 2.8 answers to builtins.parseDrvName; the first is the example of its manual.
constexpr Example kAsInNix[] = {
    {"nix-0.12pre12876", "nix"},
    {"x-1", "x"},
    {"hello", "hello"},
    {"hello-", "hello-"},
    {"a-b-c", "a-b-c"},
    {"a-b2-3c", "a-b2"},
    {"a--1", "a"},
    {"a-1-", "a"},
    {"x-.1", "x"},
    {"x-%", "x"},
    {"", ""},
    {"-", "-"},
    {"-1", ""},
    {"libpng-apng-1.6.40", "libpng-apng"},
    {"python3.11-requests-2.31.0", "python3.11-requests"},
    {"unstable-2023-01-01", "unstable"},
    {"firefox-117.0.1", "firefox"},
    {"vim-plugin-2023a", "vim-plugin"},
};

TEST(PackageName, EndsBeforeTheVersionAsInNix) {
  for (const auto& [name, package] : kAsInNix) EXPECT_EQ(package_name(name), package) << name;
}

TEST(PackageName, HashDirectoryAndSuffixAreNoPartOfIt) {
  for (const auto& [name, package] : kAsInNix) {
    const std::string hashed = std::string(kHash) + "-" + std::string(name);
    EXPECT_EQ(package_name(hashed), package) << hashed;
    EXPECT_EQ(package_name(hashed + ".nar"), package) << hashed;
    EXPECT_EQ(package_name("/nix/store/" + hashed), package) << hashed;
    EXPECT_EQ(package_name(std::string(name) + ".nar"), package) << name;
  }
}

TEST(PackageName, OnlyThirtyTwoCharactersOfNixBase32AreAHash) {
  const std::string shorter(kHash.substr(1));
  EXPECT_EQ(package_name("z" + shorter + "-hello-1"), "hello");
  EXPECT_EQ(package_name("e" + shorter + "-hello-1"), "e" + shorter + "-hello");
  EXPECT_EQ(package_name(shorter + "-hello-1"), shorter + "-hello");
  EXPECT_EQ(package_name("zz" + shorter + "-hello-1"), "zz" + shorter + "-hello");
  EXPECT_EQ(package_name(kHash), kHash);
}

TEST(PackageName, OutputsArePackagesOfTheirOwn) {
  EXPECT_EQ(package_name("foo-1.2-lib"), "foo!lib");
  EXPECT_EQ(package_name("glibc-2.38-27-bin"), "glibc!bin");
  EXPECT_EQ(package_name("gcc-13.2.0-lib"), package_name("gcc-14.1.0-lib"));
  EXPECT_NE(package_name("foo-1.2-lib"), package_name("foo-lib-1.2"));
  EXPECT_EQ(package_name("foo-1.2-rc1"), "foo");
  EXPECT_EQ(package_name("foo-1.2-unstable-2023-01-01"), "foo");
  EXPECT_EQ(package_name("foo-lib"), "foo-lib");
}

TEST(PackageName, AnUnderscoreBeginsNoVersion) {
  EXPECT_EQ(package_name("npm-_types_node-20.14.8"), "npm-_types_node");
}

TEST(PackageName, WordsBeforeTheHashDoNotCount) {
  const std::string hash = "02n7xv40nnvwlqrqfmzr01s4qkdhra17";
  EXPECT_EQ(package_name("g0-" + hash + "-libisl23-0.25.nar"), "libisl23");
  EXPECT_EQ(package_name("a-b-" + hash + "-x-1"), "x");
  EXPECT_EQ(package_name("a" + hash + "-x-1"), "a" + hash + "-x") << "no word, no hash";
}

TEST(NameShape, IsTheNameWithoutItsNumbers) {
  const std::string hash = "02n7xv40nnvwlqrqfmzr01s4qkdhra17";
  EXPECT_EQ(name_shape("libgtk-3-0-3.24.38.nar"), "libgtk---");
  EXPECT_EQ(name_shape(hash + "-libgtk-3-0-3.24.9"), "libgtk---");
  EXPECT_NE(name_shape("libgtk-3-common-3.24.38"), name_shape("libgtk-3-0-3.24.38"));
  EXPECT_EQ(without_numbers("lib/libz.so.1.2.13"), without_numbers("lib/libz.so.1.3"));
  EXPECT_EQ(without_numbers(""), "");
}

}  // namespace
}  // namespace chunker::delta
