#pragma once

#include <CLI/CLI.hpp>

#include "cli/session.hpp"

// Each adds its commands to the program, in the order of --help. What they do is set as
// session.command while the arguments are parsed, and runs afterwards.
namespace chunker::cli {

void add_ingest(CLI::App& program, Session& session);
void add_restore(CLI::App& program, Session& session);
void add_list(CLI::App& program, Session& session);
void add_stats(CLI::App& program, Session& session);
void add_remove(CLI::App& program, Session& session);  // remove, gc
void add_verify(CLI::App& program, Session& session);  // verify, rebuild-index
void add_cut(CLI::App& program, Session& session);
void add_diff(CLI::App& program, Session& session);
void add_nar(CLI::App& program, Session& session);    // nar ls, check, dump, unpack
void add_key(CLI::App& program, Session& session);    // key generate, sign, verify
void add_bench(CLI::App& program, Session& session);  // bench, bench codecs
void add_bench_codecs(CLI::App& bench, Session& session);
void add_version(CLI::App& program, Session& session);

}  // namespace chunker::cli
