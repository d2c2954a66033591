# chunker_rocksdb: RocksDB, shared, but inside of programs with the property CHUNKER_ROCKSDB_INSIDE where the distribution
# has an archive of it. Starting such a program takes 5 ms instead of 8: nobody looks up 40,000 symbols (bench/RESULTS.md,
# "Starting"). Sanitizers want it outside, where they can leave it alone.
option(CHUNKER_ROCKSDB_INSIDE "Link RocksDB into the program where there is an archive of it" ON)
include(CheckCXXSourceCompiles)

set(_archive)
if(CHUNKER_ROCKSDB_INSIDE AND NOT CHUNKER_SANITIZE)
  find_library(CHUNKER_ROCKSDB_ARCHIVE librocksdb.a)
  if(CHUNKER_ROCKSDB_ARCHIVE)
    # What Debian's needs beside; one that needs something else stays outside.
    set(_archive ${CHUNKER_ROCKSDB_ARCHIVE} snappy z bz2 lz4 zstd ${CMAKE_DL_LIBS})
    set(CMAKE_REQUIRED_LIBRARIES ${_archive} pthread)
    check_cxx_source_compiles("
      #include <rocksdb/db.h>
      int main() { rocksdb::DB* db; return rocksdb::DB::Open({}, \"\", &db).ok(); }" CHUNKER_ROCKSDB_ARCHIVE_LINKS)
    unset(CMAKE_REQUIRED_LIBRARIES)
    if(NOT CHUNKER_ROCKSDB_ARCHIVE_LINKS)
      set(_archive)
    endif()
  endif()
endif()

add_library(chunker_rocksdb INTERFACE)
target_link_libraries(chunker_rocksdb INTERFACE
  "$<IF:$<AND:$<BOOL:${_archive}>,$<BOOL:$<TARGET_PROPERTY:CHUNKER_ROCKSDB_INSIDE>>>,${_archive},PkgConfig::rocksdb>")
