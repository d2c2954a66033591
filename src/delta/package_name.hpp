#pragma once

#include <string>
#include <string_view>

namespace chunker::delta {

/// What all versions of one package have in common, from the name or path of a store object or of its NAR:
/// "/nix/store/HASH-firefox-117.0.1", "firefox-117.0.1" and "HASH-firefox-117.0.1.nar" are "firefox". The version
/// begins as for Nix (builtins.parseDrvName) at the first dash before something that is no letter; here an
/// underscore is no beginning either, since no version begins so, but names of npm's scopes do. Behind a version
/// letters alone are an output, which has other files than the package's other outputs: "glibc-2.38-27-bin" is
/// "glibc!bin", which no store object can be called. Empty if nothing comes before the version.
[[nodiscard]] std::string package_name(std::string_view store_name);

}  // namespace chunker::delta
