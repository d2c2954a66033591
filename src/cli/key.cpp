#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/try.hpp"
#include "chunker/sign.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"
#include "cli/io.hpp"
#include "cli/narinfo.hpp"
#include "cli/text.hpp"
#include "resource/file.hpp"
#include "resource/replacement.hpp"

namespace chunker::cli {
namespace {

constexpr std::string_view kExamples = R"help(
Keys and signatures are Nix's own: the files that nix-store
--generate-binary-cache-key writes, and the Sig lines of .narinfo files.

Examples:
  chunker key generate cache.example.org-1
  chunker key sign --secret-key-file cache.example.org-1.secret --in-place *.narinfo
  chunker key verify --public-key-file cache.example.org-1.public *.narinfo
  chunker key sign --secret-key-file k.secret --raw release.txt > release.sig
  chunker key verify --public-key-file k.public --raw --signature "$(cat release.sig)" release.txt
)help";

constexpr std::size_t kKeyFileBytesMax = 4096;
constexpr std::size_t kSignedFileBytesMax = 64 << 20;

struct KeyFlags {
  std::string name;
  std::vector<std::string> files;
  std::string secret_file;
  std::string public_file;
  std::string public_key;
  std::string signature;
  bool raw = false;
  bool in_place = false;
};

// Makes a file that is not there yet, complete and durable.
Result<void> write_key_file(const std::string& path, std::string_view text, mode_t mode) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (descriptor < 0) {
    const int reason = errno;
    Error error = resource::system_error(reason, "cannot make the key file", path);
    if (reason == EEXIST) error.code = ErrorCode::nar_unsafe_target;
    return std::unexpected(std::move(error));
  }
  auto file = resource::File::adopt(descriptor, path);
  CHUNKER_TRY_VOID(file.write_all(bytes_of(text)));
  CHUNKER_TRY_VOID(file.sync_data());
  return file.close();
}

Result<void> generate(const KeyFlags& flags, Console& console) {
  CHUNKER_TRY(const SecretKey key, SecretKey::generate(flags.name));
  const std::string public_text = key.public_key().text();
  const auto path_of = [&](const std::string& given, const char* extension) {
    return given.empty() ? flags.name + extension : given;
  };
  const std::string secret_path = path_of(flags.secret_file, ".secret");
  const std::string public_path = path_of(flags.public_file, ".public");
  CHUNKER_TRY_VOID(write_key_file(secret_path, key.text().view(), 0600));
  if (auto written = write_key_file(public_path, public_text + "\n", 0666); !written) {
    ::unlink(secret_path.c_str());
    return written;
  }
  if (console.json()) {
    console.print_json({{"kind", "key"},
                        {"name", json_text(flags.name)},
                        {"public_key", public_text},
                        {"secret_key_file", json_text(secret_path)},
                        {"public_key_file", json_text(public_path)}});
  } else {
    console.print(public_text);
  }
  return {};
}

Result<SecretKey> read_secret_key(const std::string& path) {
  CHUNKER_TRY(auto file, resource::File::open_read(path));
  SecretText text(kKeyFileBytesMax);
  CHUNKER_TRY(const std::size_t size, file.read_at(0, text.span()));
  auto key = SecretKey::parse(text.view().substr(0, size));
  if (!key) return std::unexpected(std::move(key).error().within(path));
  return key;
}

Result<std::string> read_text(const std::string& path, std::size_t bytes_max) {
  std::string text;
  CHUNKER_TRY_VOID(read_input(path, [&](Bytes piece) -> Result<void> {
    if (piece.size() > bytes_max - text.size()) {
      return std::unexpected(usage_error("this file is too large", label_of(path)));
    }
    text.append(text_of(piece));
    return {};
  }));
  return text;
}

// What is signed for a file: its bytes, or what Nix signs for a narinfo.
struct Message {
  std::string file_text;
  NarInfo info;
};

Result<Message> read_message(const std::string& file, bool raw) {
  Message message;
  CHUNKER_TRY(message.file_text, read_text(file, kSignedFileBytesMax));
  if (raw) {
    message.info.fingerprint = message.file_text;
    return message;
  }
  auto info = parse_narinfo(message.file_text);
  if (!info) return std::unexpected(std::move(info).error().within(label_of(file)));
  message.info = *std::move(info);
  return message;
}

Result<void> sign_file(const SecretKey& key, const std::string& file, const KeyFlags& flags,
                       Console& console) {
  CHUNKER_TRY(const Message message, read_message(file, flags.raw));
  CHUNKER_TRY(const std::string signature, key.sign(message.info.fingerprint));
  if (flags.in_place) {
    CHUNKER_TRY(auto replacement, resource::Replacement::begin(file));
    CHUNKER_TRY_VOID(replacement.append(bytes_of(with_signature(message.file_text, signature))));
    CHUNKER_TRY_VOID(replacement.commit());
  }
  if (console.json()) {
    console.print_json({{"kind", "signature"},
                        {"file", json_text(file)},
                        {"key", key.name()},
                        {"signature", signature}});
  } else if (!flags.in_place) {
    console.print(signature);
  }
  return {};
}

// Does the same for every file; one that fails does not stop the rest.
template <class Action>
Exit for_each_file(const KeyFlags& flags, Console& console, Action action) {
  Exit exit = Exit::ok;
  for (const std::string& file : flags.files) {
    if (const Result<void> done = action(file); !done) {
      exit = worse(console.report(done.error()), exit);
    }
  }
  return exit;
}

Exit sign(const KeyFlags& flags, Console& console) {
  if (flags.in_place && flags.raw) {
    return console.report(usage_error("--in-place is for narinfo files, not for --raw"));
  }
  const auto key = read_secret_key(flags.secret_file);
  if (!key) return console.report(key.error());
  return for_each_file(flags, console, [&](const std::string& file) {
    return sign_file(*key, file, flags, console);
  });
}

Result<PublicKey> read_public_key(const KeyFlags& flags) {
  std::string text = flags.public_key;
  if (!flags.public_file.empty()) {
    CHUNKER_TRY(text, read_text(flags.public_file, kKeyFileBytesMax));
  }
  if (text.empty()) return std::unexpected(usage_error("say --public-key or --public-key-file"));
  return PublicKey::parse(text);
}

Result<void> verify_file(const PublicKey& key, const std::string& file, const KeyFlags& flags,
                         Console& console) {
  CHUNKER_TRY(Message message, read_message(file, flags.raw));
  if (!flags.signature.empty()) message.info.signatures = {flags.signature};
  Result<void> verified = std::unexpected(
      Error{ErrorCode::signature_invalid, "no signature by this key", Error::kNoOffset, {}});
  for (const std::string& signature : message.info.signatures) {
    if (!signature.starts_with(std::string(key.name()) + ":")) continue;
    verified = key.verify(message.info.fingerprint, signature);
    if (verified) break;
  }
  if (!verified) return std::unexpected(std::move(verified).error().within(label_of(file)));
  if (console.json()) {
    console.print_json({{"kind", "verified"}, {"file", json_text(file)}, {"key", key.name()}});
  } else {
    console.print(fmt::format("signed by {}  {}", key.name(), printable(label_of(file))));
  }
  return {};
}

Exit verify(const KeyFlags& flags, Console& console) {
  if (flags.raw == flags.signature.empty()) {
    return console.report(usage_error("--raw and --signature go together"));
  }
  const auto key = read_public_key(flags);
  if (!key) return console.report(key.error());
  return for_each_file(flags, console, [&](const std::string& file) {
    return verify_file(*key, file, flags, console);
  });
}

void add_generate(CLI::App& key, std::shared_ptr<KeyFlags> flags, Session& session) {
  CLI::App& command = *key.add_subcommand("generate", "Make a key; print its public half");
  add_word(command, "NAME", flags->name, "Its name, for example cache.example.org-1")->required();
  add_text(command, "--secret-key-file", flags->secret_file, "FILE",
           "Never replaced, readable by you only (NAME.secret)");
  add_text(command, "--public-key-file", flags->public_file, "FILE",
           "Never replaced (NAME.public)");
  add_json(command, session);
  on_chosen(command, session, [flags, &session] { return generate(*flags, session.console); });
}

void add_sign(CLI::App& key, std::shared_ptr<KeyFlags> flags, Session& session) {
  CLI::App& command = *key.add_subcommand("sign", "Sign .narinfo files, or any others");
  add_words(command, "FILE", flags->files, "Files; - is standard input")->required();
  add_text(command, "--secret-key-file", flags->secret_file, "FILE", "What to sign with")
      ->required();
  command.add_flag("--in-place", flags->in_place, "Put the Sig line into each narinfo");
  command.add_flag("--raw", flags->raw, "Sign the file's bytes, whatever they are");
  add_json(command, session);
  on_chosen(command, session, [flags, &session] { return sign(*flags, session.console); });
}

void add_verify_signature(CLI::App& key, std::shared_ptr<KeyFlags> flags, Session& session) {
  CLI::App& command = *key.add_subcommand("verify", "Check signatures");
  add_words(command, "FILE", flags->files, "Files; - is standard input")->required();
  add_text(command, "--public-key", flags->public_key, "KEY", "NAME:BASE64");
  add_text(command, "--public-key-file", flags->public_file, "FILE", "A file that holds it");
  command.add_flag("--raw", flags->raw, "The signature is for the file's bytes");
  add_text(command, "--signature", flags->signature, "SIGNATURE", "With --raw: NAME:BASE64");
  add_json(command, session);
  on_chosen(command, session, [flags, &session] { return verify(*flags, session.console); });
}

}  // namespace

void add_key(CLI::App& program, Session& session) {
  auto flags = std::make_shared<KeyFlags>();
  CLI::App& key = *program.add_subcommand("key", "Make keys, sign and verify, as Nix does");
  key.require_subcommand(1);
  add_footer(key, kExamples);
  add_generate(key, flags, session);
  add_sign(key, flags, session);
  add_verify_signature(key, flags, session);
}

}  // namespace chunker::cli
