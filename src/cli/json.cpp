#include "cli/json.hpp"

#include "cli/exit.hpp"
#include "cli/text.hpp"

namespace chunker::cli {

Json json_of(const Error& error, std::string_view kind) {
  Json object{{"kind", kind},
              {"code", name(error.code)},
              {"number", static_cast<unsigned>(error.code)},
              {"message", error.what},
              {"context", json_text(error.context)}};
  if (error.offset_bytes != Error::kNoOffset) object["offset_bytes"] = error.offset_bytes;
  object["retry"] = name(retry(error.code));
  object["cure"] = cure(error);
  return object;
}

Json json_of(std::span<const AlgorithmUse> uses) {
  Json object = Json::object();
  for (const AlgorithmUse& use : uses) {
    object[json_text(use.algorithm.key())] = {
        {"count", use.count}, {"bytes_in", use.bytes_in}, {"bytes_out", use.bytes_out}};
  }
  return object;
}

}  // namespace chunker::cli
