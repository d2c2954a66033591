#include <fmt/format.h>

#include <memory>

#include "base/cpu.hpp"
#include "chunker/codec.hpp"
#include "chunker/cpu_quota.hpp"
#include "cli/commands.hpp"
#include "cli/flags.hpp"

namespace chunker::cli {
namespace {

#if defined(__clang__)
constexpr std::string_view kCompiler = "clang " __clang_version__;
#else
constexpr std::string_view kCompiler = "gcc " __VERSION__;
#endif

std::vector<std::string> cpu_features() {
  const base::CpuFeatures cpu = base::detect_cpu_features();
  std::vector<std::string> names;
  const auto add = [&](bool present, const char* name) {
    if (present) names.emplace_back(name);
  };
  add(cpu.sse41, "sse4.1");
  add(cpu.avx2, "avx2");
  add(cpu.avx512, "avx512");
  add(cpu.avx512_vbmi, "avx512-vbmi");
  add(cpu.sha_ni, "sha-ni");
  add(cpu.neon, "neon");
  add(cpu.arm_sha2, "arm-sha2");
  return names;
}

Exit show_version(Console& console) {
  std::vector<std::string> codecs;
  for (const auto& codec : CodecRegistry::builtin()->codecs()) codecs.emplace_back(codec.name());
  const auto allowed = cgroup_cpus();
  if (console.json()) {
    console.print_json({{"kind", "version"},
                        {"version", CHUNKER_VERSION},
                        {"compiler", kCompiler},
                        {"codecs", codecs},
                        {"cpu", cpu_features()},
                        {"available_cpus", available_cpus()},
                        {"cgroup_cpus", allowed ? Json(*allowed) : Json(nullptr)}});
    return Exit::ok;
  }
  console.print("chunker " CHUNKER_VERSION);
  console.print(fmt::format("built by {}", kCompiler));
  console.print(fmt::format("codecs: {}", fmt::join(codecs, " ")));
  console.print(fmt::format("processor: {}", fmt::join(cpu_features(), " ")));
  console.print(fmt::format(
      "threads by default: {}{}", available_cpus(),
      allowed ? fmt::format(" (control groups allow {:.2f} CPUs)", *allowed) : std::string()));
  return Exit::ok;
}

}  // namespace

void add_version(CLI::App& program, Session& session) {
  CLI::App& command = *program.add_subcommand(
      "version", "Show the version, and what this build and processor have");
  add_json(command, session);
  on_chosen(command, session, [&session] { return show_version(session.console); });
}

}  // namespace chunker::cli
