#pragma once

#include <string>
#include <string_view>

namespace chunker::delta {

/// What all versions of one package have in common, from the name or path of a store object or of its NAR:
/// "/nix/store/HASH-firefox-117.0.1", "firefox-117.0.1" and "mine-HASH-firefox-117.0.1.nar" are "firefox". The version
/// begins as for Nix (builtins.parseDrvName) at the first dash before something that is no letter; here an
/// underscore is no beginning either, since no version begins so, but names of npm's scopes do. Behind a version
/// letters alone are an output, which has other files than the package's other outputs: "glibc-2.38-27-bin" is
/// "glibc!bin", which no store object can be called. Empty if nothing comes before the version.
[[nodiscard]] std::string package_name(std::string_view store_name);

/// The same without all numbers instead of the version: "libgtk-3-0-3.24.38" and "libgtk-3-common-3.24.38" are
/// versions of one package for Nix's rule, and have nothing in common; their shapes differ, and those of two
/// versions of either are the same. Also of paths: "lib/libz.so.1.2.13" and "lib/libz.so.1.3" are one shape.
[[nodiscard]] std::string without_numbers(std::string_view name);
/// The shape of a store path's name.
[[nodiscard]] std::string name_shape(std::string_view store_name);

}  // namespace chunker::delta
