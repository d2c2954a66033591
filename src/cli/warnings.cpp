#include "cli/warnings.hpp"

#include "chunker/log.hpp"
#include "cli/text.hpp"

namespace chunker::cli {

Warnings::Warnings(Console& console) {
  set_log_sink([&console](LogLevel, std::string_view message) {
    // What users call their algorithms is in it: one line, whatever that is.
    console.note("warning: " + printable(message));
  });
}

Warnings::~Warnings() { set_log_sink({}); }

}  // namespace chunker::cli
