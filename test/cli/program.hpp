#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chunker::test {

/// How one run of the program ended.
struct Outcome {
  int exit = -1;   ///< Its exit code; -1 if a signal ended it.
  int signal = 0;  ///< The signal that ended it.
  std::string out;
  std::string err;
  std::uint64_t peak_bytes = 0;  ///< Resident memory at its most.
};

struct Surroundings {
  std::string input{};                ///< Its standard input.
  std::filesystem::path directory{};  ///< Where it runs; here if empty.
  std::vector<std::pair<std::string, std::string>> environment{};
  std::filesystem::path output{};  ///< Standard output goes there, for example /dev/full.
  bool on_terminal = false;        ///< Both outputs are one terminal: all is in `out`.
  bool output_closed = false;      ///< Nobody reads standard output.
  bool obeys_permissions = false;  ///< Even when the tests run as root.
  std::vector<std::pair<int, std::uint64_t>> limits{};  ///< RLIMIT_* and what it is set to.
};

/// The program, running. Its outputs are read by wait_for() and finish().
/// Owns:    the process, killed if it has not ended.
class Running {
 public:
  explicit Running(const std::vector<std::string>& arguments, const Surroundings& around = {});
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// More for its standard input, which stays open until finish().
  void write(std::string_view text);
  /// Reads until standard output holds `text`; false if it ended or 20 s went by before.
  bool wait_for(std::string_view text);
  void send(int signal) const;
  /// Closes its standard input and waits for its end.
  Outcome finish();

 private:
  /// Takes in what the program has written, waiting for it, or until it reads if `to_write`.
  bool pump(std::chrono::steady_clock::time_point until, bool to_write = false);

  pid_t pid_ = -1;
  int input_ = -1;
  int out_ = -1;
  int err_ = -1;
  Outcome outcome_;
};

/// Runs the program from its beginning to its end.
Outcome run(const std::vector<std::string>& arguments, const Surroundings& around = {});

}  // namespace chunker::test
