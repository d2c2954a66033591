# Blake3::blake3, the official C implementation with its SIMD kernels: a system libblake3 where there is
# one, else built from the C sources that come with Debian's librust-blake3-dev. Nothing is downloaded.
#
#   Blake3_SOURCE_DIR   the folder with blake3.c; found by itself, empty to insist on a system library
#   Blake3_FROM_SOURCE  whether it was built from there

find_path(Blake3_INCLUDE_DIR blake3.h)
find_library(Blake3_LIBRARY blake3)
mark_as_advanced(Blake3_INCLUDE_DIR Blake3_LIBRARY)

if(NOT DEFINED Blake3_SOURCE_DIR)
  file(GLOB _candidates /usr/share/cargo/registry/blake3-*/c/blake3.c)
  list(SORT _candidates COMPARE NATURAL ORDER DESCENDING)
  list(POP_FRONT _candidates _newest)
  cmake_path(GET _newest PARENT_PATH _newest)
  set(Blake3_SOURCE_DIR "${_newest}" CACHE PATH "Where the C sources of BLAKE3 are")
endif()

set(Blake3_FROM_SOURCE FALSE)
if(Blake3_INCLUDE_DIR AND Blake3_LIBRARY)
  set(_blake3_found ${Blake3_LIBRARY})
elseif(Blake3_SOURCE_DIR)
  set(_blake3_found ${Blake3_SOURCE_DIR})
  set(Blake3_FROM_SOURCE TRUE)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Blake3 REQUIRED_VARS _blake3_found
  REASON_FAILURE_MESSAGE "install libblake3 or Debian's librust-blake3-dev")

if(Blake3_FOUND AND NOT TARGET Blake3::blake3)
  if(Blake3_FROM_SOURCE)
    set(_dir ${Blake3_SOURCE_DIR})
    set(_sources ${_dir}/blake3.c ${_dir}/blake3_dispatch.c ${_dir}/blake3_portable.c)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
      set(_kernels sse2 sse41 avx2)
      if(CHUNKER_WITH_AVX512)
        list(APPEND _kernels avx512)
      endif()
      foreach(_kernel ${_kernels})
        list(APPEND _sources ${_dir}/blake3_${_kernel}_x86-64_unix.S)
      endforeach()
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
      list(APPEND _sources ${_dir}/blake3_neon.c)
    endif()
    add_library(chunker_blake3 STATIC ${_sources})
    target_include_directories(chunker_blake3 SYSTEM PUBLIC ${_dir})
    if(NOT CHUNKER_WITH_AVX512)
      target_compile_definitions(chunker_blake3 PRIVATE BLAKE3_NO_AVX512)
    endif()
    add_library(Blake3::blake3 ALIAS chunker_blake3)
  else()
    add_library(Blake3::blake3 UNKNOWN IMPORTED GLOBAL)
    set_target_properties(Blake3::blake3 PROPERTIES
      IMPORTED_LOCATION ${Blake3_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${Blake3_INCLUDE_DIR})
  endif()
endif()
