#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/check.hpp"
#include "base/try.hpp"
#include "chunker/maintain.hpp"
#include "damaged_store.hpp"

// input := step*, step := u8 what, u8 pack, u8 record, u8 where, u8 value. Steps change the packs of a store: records,
// behind checksums that are right again, or the files as they are. Whatever is done, no wrong byte comes out; verify
// names what is lost; a repair loses nothing that was whole, and ingesting again heals the store; so does making the
// index anew.

namespace {

using namespace chunker;
using namespace chunker::fuzz;

/// What is listed, and whether it comes back.
std::map<std::string, bool> look(const Store& store) {
  std::map<std::string, bool> found;
  const auto listed = store.list([&](const StoredNar& nar) -> Result<void> {
    found[nar.name] = fuzz::restored(store, nar.nar_sha256).has_value();
    return {};
  });
  CHUNKER_CHECK(listed.has_value());
  return found;
}

std::size_t lost_count(const std::map<std::string, bool>& found) {
  return static_cast<std::size_t>(
      std::ranges::count_if(found, [](const auto& nar) { return !nar.second; }));
}

void check_none_less(const std::map<std::string, bool>& before,
                     const std::map<std::string, bool>& after) {
  for (const auto& [name, whole] : before) {
    CHUNKER_CHECK(!whole || (after.contains(name) && after.at(name)));
  }
}

/// Of a pack whose directory cannot be read verify names all NARs, and some come back yet.
void check_named(const Store& store, const std::map<std::string, bool>& found) {
  const auto report = verify(store, {.content = true, .threads = 1}, {});
  CHUNKER_CHECK(report && report->nars_damaged >= lost_count(found));
  CHUNKER_CHECK(report->problems >= report->nars_damaged);
}

void check_nars(const Store& store) {
  for (const auto& [name, nar] : nars()) {
    const auto found = store.find(name);
    CHUNKER_CHECK(found && fuzz::restored(store, found->nar_sha256) == nar);
  }
}

/// Takes away the names of what is lost for good: steps can make names that no NAR belongs to.
void remove_lost(Store& store) {
  std::vector<std::string> names;
  for (const auto& [name, whole] : look(store)) {
    if (!whole) names.push_back(name);
  }
  CHUNKER_CHECK(store.remove(names).has_value());
}

/// Errors: store_version, of packs and manifests that may be of a later version.
Result<void> check_healing(const Victim& victim) {
  CHUNKER_TRY(Store store, Store::open(victim.path(), for_writing()));
  const auto before = look(store);
  check_named(store, before);
  CHUNKER_TRY(const auto repaired,
              verify(store, {.content = true, .repair = true, .threads = 1}, {}));
  const auto after = look(store);
  CHUNKER_CHECK(repaired.nars_damaged == lost_count(after));
  check_none_less(before, after);
  const auto again = verify(store, {.content = true, .threads = 1}, {});
  CHUNKER_CHECK(again && again->problems == lost_count(after));
  ingest_all(store, victim.scratch());
  check_none_less(after, look(store));
  remove_lost(store);
  check_nars(store);
  const auto healed = verify(store, {.content = true, .threads = 1}, {});
  CHUNKER_CHECK(healed && healed->problems == 0);
  CHUNKER_CHECK(collect_garbage(store, {.garbage_min = 0}).has_value());
  check_nars(store);
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Victim victim;
  std::vector<Step> steps;
  for (; size >= kStepBytes && steps.size() < kStepsMax; data += kStepBytes, size -= kStepBytes) {
    steps.push_back({data[0], data[1], data[2], data[3], data[4]});
  }
  victim.suffer(steps);
  if (const auto healed = check_healing(victim); !healed) {
    CHUNKER_CHECK(healed.error().code == ErrorCode::store_version);
    return 0;
  }
  CHUNKER_CHECK(rebuild_index(victim.path()).has_value());
  check_nars(*Store::open(victim.path()));
  return 0;
}
