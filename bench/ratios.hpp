#pragma once

#include <benchmark/benchmark.h>

namespace chunker::bench {

/// main() of a benchmark whose names read `what/way`: runs all ways interleaved and prints, as a table for
/// RESULTS.md, the median thread time of each (of UseRealTime() ones the time on the clock) and how many times as fast it is as the first way of the same thing.
int print_ratios(int argc, char** argv);

}  // namespace chunker::bench
