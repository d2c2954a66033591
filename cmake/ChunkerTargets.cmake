# The words the CMakeLists of every folder is written in: one component per folder of src/, one test
# program per folder of test/, one libFuzzer target per file of fuzz/.

add_library(chunker_options INTERFACE)
target_compile_features(chunker_options INTERFACE cxx_std_23)
target_include_directories(chunker_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>)
target_compile_options(chunker_options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Werror=switch>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:Clang>>:-Wthread-safety>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${CHUNKER_WERROR}>>:-Werror>)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(CHUNKER_SANITIZE)
  string(REPLACE ";" "," _sanitizers "${CHUNKER_SANITIZE}")
  add_compile_options(-fsanitize=${_sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${_sanitizers})
endif()
if(CHUNKER_COVERAGE)
  # Counted atomically: several threads run the same lines, and gcovr refuses what they would garble.
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
if(CHUNKER_BUILD_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# chunker_component(NAME SOURCES file... [USES component...] [LIBRARIES target...])
# USES names lower floors; LIBRARIES are foreign and stay private to this folder.
function(chunker_component name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;LIBRARIES")
  add_library(chunker_${name} STATIC ${arg_SOURCES})
  list(TRANSFORM arg_USES PREPEND chunker_)
  target_link_libraries(chunker_${name} PUBLIC chunker_options ${arg_USES} PRIVATE ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY CHUNKER_COMPONENTS chunker_${name})
  set_property(GLOBAL APPEND PROPERTY CHUNKER_FOREIGN ${arg_LIBRARIES})
endfunction()

# chunker_test(NAME SOURCES file... [USES component...] [LIBRARIES target...])
# Results land in <build>/test-results/NAME.xml, where tools/check_requirements.py looks for them.
function(chunker_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;LIBRARIES")
  add_executable(test_${name} ${arg_SOURCES})
  list(TRANSFORM arg_USES PREPEND chunker_)
  target_link_libraries(test_${name} PRIVATE chunker_options ${arg_USES} ${arg_LIBRARIES}
                        GTest::gmock GTest::gtest_main)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/test)
  target_compile_definitions(test_${name} PRIVATE
    CHUNKER_SOURCE_DIR="${PROJECT_SOURCE_DIR}" CHUNKER_BINARY_DIR="${PROJECT_BINARY_DIR}")
  add_test(NAME ${name} COMMAND test_${name}
           --gtest_output=xml:${PROJECT_BINARY_DIR}/test-results/${name}.xml)
endfunction()

# chunker_fuzz(NAME [USES component...]): fuzz/NAME.cpp as a libFuzzer program fuzz_NAME; and, with tests, as one
# that gives it its corpus once, without the engine and with any compiler.
function(chunker_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES")
  list(TRANSFORM arg_USES PREPEND chunker_ OUTPUT_VARIABLE uses)
  if(CHUNKER_BUILD_FUZZ)
    add_executable(fuzz_${name} ${name}.cpp)
    target_link_libraries(fuzz_${name} PRIVATE chunker_options ${uses})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  endif()
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  if(CHUNKER_BUILD_TESTS AND EXISTS ${corpus})
    chunker_test(replay_${name} SOURCES ${name}.cpp $<TARGET_OBJECTS:chunker_replay> USES ${arg_USES})
    set_tests_properties(replay_${name} PROPERTIES ENVIRONMENT CHUNKER_CORPUS=${corpus})
  endif()
endfunction()
