#include "pipeline/ingest_queue.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "delta/package_name.hpp"
#include "pipeline/input.hpp"

namespace chunker::pipeline {

IngestQueue::IngestQueue(std::span<const IngestSource> sources) {
  std::unordered_map<std::string, std::size_t> numbers;
  std::vector<std::size_t> counts;
  std::vector<std::pair<std::size_t, std::size_t>> rounds;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    std::string name = delta::package_name(name_of(sources[i]));
    const std::size_t package =
        name.empty() ? kNone : numbers.emplace(std::move(name), numbers.size()).first->second;
    counts.resize(numbers.size());
    rounds.emplace_back(package == kNone ? 0 : counts[package]++, i);
    package_of_.push_back(package);
    descriptors_each_ = std::max(descriptors_each_, descriptors_of(sources[i]));
  }
  std::ranges::sort(rounds);
  for (const auto& [round, i] : rounds) waiting_.push_back(i);
  packages_.resize(counts.size());
}

void IngestQueue::hold_back_what_must_wait() {
  while (!waiting_.empty()) {
    const std::size_t package = package_of_[waiting_.front()];
    if (package == kNone || !packages_[package].is_on_its_way) return;
    packages_[package].held_back.push_back(waiting_.front());
    waiting_.pop_front();
  }
}

std::optional<std::size_t> IngestQueue::next() {
  const base::Lock lock(mutex_);
  hold_back_what_must_wait();
  if (waiting_.empty()) return std::nullopt;
  const std::size_t source = waiting_.front();
  waiting_.pop_front();
  if (package_of_[source] != kNone) packages_[package_of_[source]].is_on_its_way = true;
  return source;
}

void IngestQueue::end(std::size_t source) {
  if (package_of_[source] == kNone) return;
  const base::Lock lock(mutex_);
  Package& package = packages_[package_of_[source]];
  package.is_on_its_way = false;
  if (package.held_back.empty()) return;
  waiting_.push_front(package.held_back.front());
  package.held_back.pop_front();
}

bool IngestQueue::is_empty_for_now() {
  const base::Lock lock(mutex_);
  hold_back_what_must_wait();
  return waiting_.empty();
}

}  // namespace chunker::pipeline
