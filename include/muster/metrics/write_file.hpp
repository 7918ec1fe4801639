#pragma once

#include <string>
#include <string_view>

namespace muster {

/// Makes `path` contain exactly `contents`, or leaves everything as it was: writes beside it,
/// flushes to the disk, then renames. A file that is there keeps its mode; a symbolic link stays,
/// and what it leads to is written.
///
/// Throws `error` with one line that names the path and says what to do: `errc::configuration`
/// where the directory is missing or refuses, or what is there is no regular file;
/// `errc::dependency_unavailable` where the disk is full or fails. Nothing half-written is left
/// behind. Thread-safe for distinct paths.
void write_file_atomically(const std::string& path, std::string_view contents);

/// Makes a directory, with its parents, unless it is there, and makes sure that files can be
/// created in it. Throws as `write_file_atomically`.
void ensure_writable_directory(const std::string& path);

/// All of a file. Throws `error{errc::configuration}` with one line that names it.
[[nodiscard]] std::string read_file(const std::string& path);

} // namespace muster
