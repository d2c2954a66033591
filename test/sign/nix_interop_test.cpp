// Keys, fingerprints and signatures carried to the real Nix and back, in a binary cache made for the occasion.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "chunker/sign.hpp"

namespace chunker {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBase = "00bgd045z0d4icpbc2yyz4gx48ak44la-demo-1.0";
const std::string kPath = "/nix/store/" + std::string(kBase);
const std::vector<std::string> kReferences = {
    kPath, "/nix/store/0zkkbp8psbxwb9f57vqm5wq3kr1rnbhz-glibc-2.24"};

class NixInterop : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "chunker-sign-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    home_ = name;
    fs::create_directories(home_ / "cache/nar");
    write("cache/nix-cache-info", "StoreDir: /nix/store\n");
    write("tree", "contents");
    ASSERT_EQ(run("nix-store --dump tree > cache/nar/demo.nar"), 0);
    ASSERT_EQ(run("nix-hash --flat --type sha256 cache/nar/demo.nar > hash"), 0);
    nar_sha256_ = *Digest::from_hex(read("hash").substr(0, 64));
    nar_bytes_ = fs::file_size(home_ / "cache/nar/demo.nar");
  }
  void TearDown() override { fs::remove_all(home_); }

  int run(const std::string& command) const {
    const std::string home = home_.string();
    return std::system(("cd " + home + " && env HOME=" + home + " NIX_STATE_DIR=" + home +
                        "/state NIX_CONF_DIR=" + home + " " +
                        "NIX_CONFIG='experimental-features = nix-command' sh -c '" + command +
                        "' > log 2>&1")
                           .c_str());
  }
  std::string read(const std::string& file) const {
    std::ostringstream text;
    text << std::ifstream(home_ / file).rdbuf();
    return text.str();
  }
  void write(const std::string& file, std::string_view text) const {
    std::ofstream(home_ / file) << text;
  }

  std::string fingerprint() const {
    return *nar_fingerprint(kPath, nar_sha256_, nar_bytes_, kReferences);
  }

  // The cache's entry for the demo path, with signatures if there are any.
  void write_narinfo(std::string_view signatures) const {
    const std::string hash = "sha256:" + to_nix_base32(nar_sha256_.view());
    const std::string size = std::to_string(nar_bytes_);
    std::ostringstream text;
    text << "StorePath: " << kPath << "\nURL: nar/demo.nar\nCompression: none\nFileHash: " << hash
         << "\nFileSize: " << size << "\nNarHash: " << hash << "\nNarSize: " << size
         << "\nReferences: " << kBase << " 0zkkbp8psbxwb9f57vqm5wq3kr1rnbhz-glibc-2.24\n"
         << signatures;
    write("cache/" + std::string(kBase.substr(0, 32)) + ".narinfo", text.str());
    fs::remove_all(home_ / ".cache");  // Where Nix remembers entries that it has read.
  }

  int nix_verify(const PublicKey& key) const {
    return run("nix store verify --store file://$HOME/cache --sigs-needed 1 " +
               std::string("--trusted-public-keys ") + key.text() + " " + kPath);
  }

  fs::path home_;
  Digest nar_sha256_;
  std::uint64_t nar_bytes_ = 0;
};

TEST_F(NixInterop, ReadsKeysThatNixGenerated) {
  ASSERT_EQ(run("nix-store --generate-binary-cache-key demo-1 secret public"), 0) << read("log");
  const auto key = SecretKey::parse(read("secret"));
  ASSERT_TRUE(key);
  EXPECT_EQ(key->public_key().text(), read("public"));
  EXPECT_EQ(key->text().view(), read("secret"));
}

TEST_F(NixInterop, NixReadsKeysThatWeGenerated) {
  const auto key = SecretKey::generate("demo-1");
  write("secret", key->text().view());
  ASSERT_EQ(run("nix key convert-secret-to-public < secret > public"), 0) << read("log");
  EXPECT_EQ(read("public"), key->public_key().text());
}

TEST_F(NixInterop, NixAcceptsOurSignatures) {
  const auto key = SecretKey::generate("demo-1");
  write_narinfo("Sig: " + *key->sign(fingerprint()) + "\n");
  EXPECT_EQ(nix_verify(key->public_key()), 0) << read("log");
}

TEST_F(NixInterop, NixRefusesWhatWeDidNotSign) {
  const auto key = SecretKey::generate("demo-1");
  write_narinfo("Sig: " + *key->sign(fingerprint() + "x") + "\n");
  EXPECT_NE(nix_verify(key->public_key()), 0);
  EXPECT_NE(read("log").find("untrusted"), std::string::npos) << read("log");
}

TEST_F(NixInterop, WeAcceptSignaturesThatNixMade) {
  ASSERT_EQ(run("nix-store --generate-binary-cache-key demo-1 secret public"), 0);
  write_narinfo("");
  ASSERT_EQ(run("nix store sign --store file://$HOME/cache -k secret " + kPath), 0) << read("log");
  const std::string narinfo = read("cache/" + std::string(kBase.substr(0, 32)) + ".narinfo");
  const auto at = narinfo.find("Sig: ");
  ASSERT_NE(at, narinfo.npos) << narinfo;
  const std::string signature = narinfo.substr(at + 5, narinfo.find('\n', at) - at - 5);
  const auto key = PublicKey::parse(read("public"));
  EXPECT_TRUE(key->verify(fingerprint(), signature));
  EXPECT_FALSE(key->verify(fingerprint() + "x", signature));
}

}  // namespace
}  // namespace chunker
