#pragma once

#include <string>

#include "chunker/dictionary.hpp"

namespace chunker::test {

/// A small file as a package set has thousands: each alike, none the same.
inline std::string small_file(unsigned number) {
  const std::string name = "package-" + std::to_string(number * 7919U % 10007U);
  return "{ lib, stdenv, fetchurl }:\nstdenv.mkDerivation rec {\n  pname = \"" + name +
         "\";\n  version = \"1." + std::to_string(number % 31) +
         "\";\n  src = fetchurl {\n    url = \"mirror://gnu/" + name +
         "/${pname}-${version}.tar.xz\";\n    sha256 = \"" + std::to_string(number * 2654435761U) +
         "\";\n  };\n  meta = with lib; {\n    description = \"Number " + std::to_string(number) +
         "\";\n    license = licenses.gpl3Plus;\n    platforms = platforms.unix;\n  };\n}\n";
}

inline DictionarySamples small_files(unsigned count) {
  DictionarySamples samples;
  for (unsigned i = 0; i < count; ++i) samples.add(bytes_of(small_file(i)));
  return samples;
}

/// A dictionary of these, under this number.
inline ByteBuffer trained_dictionary(DictionaryId id, std::size_t bytes = 2048) {
  return *train_dictionary(small_files(300), bytes, id);
}

}  // namespace chunker::test
