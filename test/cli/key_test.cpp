#include <sys/stat.h>

#include <filesystem>

#include "cli/cli_fixture.hpp"

namespace chunker::test {
namespace {

namespace fs = std::filesystem;

class CliKey : public CliTest {
 protected:
  void SetUp() override {
    const Outcome made = chunker({"key", "generate", "test-1"});
    ASSERT_EQ(made.exit, 0) << made.err;
    public_key_ = made.out.substr(0, made.out.size() - 1);
    write_file(path("demo.narinfo"),
               "StorePath: /nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-demo-1.0\n"
               "NarHash: sha256:0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73\n"
               "NarSize: 120\n"
               "References: \n");
  }

  std::string public_key_;
};

TEST_F(CliKey, GenerateMakesAPairThatOnlyTheOwnerReads) {
  EXPECT_TRUE(public_key_.starts_with("test-1:")) << public_key_;
  EXPECT_EQ(read_file(path("test-1.public")), public_key_ + "\n");
  EXPECT_TRUE(read_file(path("test-1.secret")).starts_with("test-1:"));
  struct stat status{};
  ASSERT_EQ(::stat(path("test-1.secret").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(CliKey, GenerateNeverReplacesAKey) {
  const std::string secret = read_file(path("test-1.secret"));
  const Outcome again = chunker({"key", "generate", "test-1"});
  EXPECT_EQ(again.exit, 1);
  EXPECT_NE(again.err.find("Choose a path that does not exist yet"), std::string::npos)
      << again.err;
  EXPECT_EQ(read_file(path("test-1.secret")), secret);
  // A public file that is there stops it too, and then no secret file is left behind.
  const Outcome refused = chunker({"key", "generate", "x", "--public-key-file", "test-1.public"});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_NE(refused.err.find("test-1.public"), std::string::npos) << refused.err;
  EXPECT_FALSE(fs::exists(path("x.secret")));
  EXPECT_EQ(read_file(path("test-1.public")), public_key_ + "\n");
}

TEST_F(CliKey, NamesThatCannotBeKeysAreRefused) {
  const Outcome refused = chunker({"key", "generate", "a:b"});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_NE(refused.err.find("(key_invalid)"), std::string::npos) << refused.err;
}

TEST_F(CliKey, GenerateAsJson) {
  const Json key = object_of_kind(chunker({"key", "generate", "k", "--json", "--secret-key-file",
                                           "s", "--public-key-file", "p"})
                                      .out,
                                  "key");
  EXPECT_EQ(key.at("name"), "k");
  EXPECT_EQ(key.at("secret_key_file"), "s");
  EXPECT_EQ(key.at("public_key_file"), "p");
  EXPECT_EQ(key.at("public_key").get<std::string>() + "\n", read_file(path("p")));
}

TEST_F(CliKey, NarinfosAreSignedInPlaceAndVerified) {
  const Outcome unsigned_yet =
      chunker({"key", "verify", "--public-key", public_key_, "demo.narinfo"});
  EXPECT_EQ(unsigned_yet.exit, 1);
  EXPECT_NE(unsigned_yet.err.find("(signature_invalid)"), std::string::npos) << unsigned_yet.err;
  ASSERT_EQ(
      chunker({"key", "sign", "--secret-key-file", "test-1.secret", "--in-place", "demo.narinfo"})
          .exit,
      0);
  EXPECT_NE(read_file(path("demo.narinfo")).find("\nSig: test-1:"), std::string::npos);
  const Outcome verified =
      chunker({"key", "verify", "--public-key-file", "test-1.public", "demo.narinfo"});
  EXPECT_EQ(verified.exit, 0) << verified.err;
  EXPECT_EQ(verified.out, "signed by test-1  demo.narinfo\n");

  std::string changed = read_file(path("demo.narinfo"));
  changed.replace(changed.find("120"), 3, "121");
  write_file(path("changed.narinfo"), changed);
  const Outcome refused = chunker(
      {"key", "verify", "--json", "--public-key", public_key_, "changed.narinfo", "demo.narinfo"});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_EQ(object_of_kind(refused.out, "error").at("code"), "signature_invalid");
  EXPECT_EQ(object_of_kind(refused.out, "verified").at("file"), "demo.narinfo");
}

TEST_F(CliKey, AnyFileIsSignedByItsBytes) {
  const Outcome made = chunker({"key", "sign", "--secret-key-file", "test-1.secret", "--raw", "-"},
                               {.input = "text"});
  ASSERT_EQ(made.exit, 0) << made.err;
  const std::string signature = made.out.substr(0, made.out.size() - 1);
  const std::vector<std::string> verify{"key",   "verify",      "--public-key", public_key_,
                                        "--raw", "--signature", signature,      "-"};
  EXPECT_EQ(chunker(verify, {.input = "text"}).exit, 0);
  EXPECT_EQ(chunker(verify, {.input = "texT"}).exit, 1);
}

TEST_F(CliKey, WhatIsNoKeyOrNoNarinfoIsSaid) {
  write_file(path("nonsense"), "nonsense\n");
  const Outcome key = chunker({"key", "sign", "--secret-key-file", "nonsense", "demo.narinfo"});
  EXPECT_EQ(key.exit, 1);
  EXPECT_NE(key.err.find("nonsense: "), std::string::npos) << key.err;
  EXPECT_NE(key.err.find("(key_invalid)"), std::string::npos) << key.err;
  const Outcome info = chunker({"key", "sign", "--secret-key-file", "test-1.secret", "nonsense"});
  EXPECT_EQ(info.exit, 2);
  EXPECT_NE(info.err.find("StorePath"), std::string::npos) << info.err;
  EXPECT_EQ(chunker({"key", "verify", "demo.narinfo"}).exit, 2);
  EXPECT_EQ(chunker({"key", "verify", "--public-key", public_key_, "--raw", "demo.narinfo"}).exit,
            2);
  EXPECT_EQ(
      chunker({"key", "sign", "--secret-key-file", "test-1.secret", "--raw", "--in-place", "x"})
          .exit,
      2);
}

TEST_F(CliKey, KeysOfNixAreOurs) {
  const std::string generate = "cd '" + directory_.path().string() +
                               "' && NIX_STATE_DIR=$PWD/state NIX_CONF_DIR=$PWD nix-store "
                               "--generate-binary-cache-key nix-1 nix.secret nix.public > log 2>&1";
  ASSERT_EQ(std::system(generate.c_str()), 0) << read_file(path("log"));
  ASSERT_EQ(
      chunker({"key", "sign", "--secret-key-file", "nix.secret", "--in-place", "demo.narinfo"})
          .exit,
      0);
  EXPECT_EQ(chunker({"key", "verify", "--public-key-file", "nix.public", "demo.narinfo"}).exit, 0);
}

}  // namespace
}  // namespace chunker::test
