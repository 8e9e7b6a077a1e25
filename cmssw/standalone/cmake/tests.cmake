# Tests: each directory of ../../tests/cmssw is a doctest program of its *.cc, linked with all packages; its plugins/
# are built into the area beside the packages' own, but not installed. ctest runs them, and cmsRun on *_cfg.py.

find_path(DOCTEST_INCLUDE doctest/doctest.h HINTS "${HEADERS}/include")
require(DOCTEST_INCLUDE "no doctest: run fetch-headers .deps, or install doctest-dev")
external(doctest INCLUDE "${DOCTEST_INCLUDE}" LIBRARIES "")

set(TESTS "${CMAKE_SOURCE_DIR}/../../tests/cmssw")
get_filename_component(TESTS "${TESTS}" ABSOLUTE)

# What the sanitizers are told. Suppressions name frames of third parties only.
set(sanitizers "${CMAKE_SOURCE_DIR}/sanitizers")
set(TEST_ENVIRONMENT
    "CMSSW_SEARCH_PATH=${PACKAGES}"
    "LSAN_OPTIONS=suppressions=${sanitizers}/leak.supp:print_suppressions=0"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "TSAN_OPTIONS=suppressions=${sanitizers}/thread.supp:print_suppressions=0:second_deadlock_stack=1")

file(GLOB directories CONFIGURE_DEPENDS RELATIVE "${TESTS}" "${TESTS}/*/*.cc")
list(TRANSFORM directories REPLACE "/.*" "")
list(REMOVE_DUPLICATES directories)
get_property(libraries GLOBAL PROPERTY EDM_LIBRARIES)
# Assertions take longer to optimise than to run; a sanitizer's build stays as it is.
set(unoptimised $<$<CONFIG:Release>:-O0>)
add_library(testMain OBJECT "${CMAKE_SOURCE_DIR}/cmake/testMain.cc")
target_link_libraries(testMain PRIVATE ext::doctest)
target_compile_options(testMain PRIVATE ${unoptimised})
foreach(directory IN LISTS directories)
  file(GLOB sources CONFIGURE_DEPENDS "${TESTS}/${directory}/*.cc")
  add_executable(test_${directory} $<TARGET_OBJECTS:testMain> ${sources})
  target_link_libraries(test_${directory} PRIVATE ${libraries} ext::doctest)
  target_compile_options(test_${directory} PRIVATE ${unoptimised})
  add_test(NAME ${directory} COMMAND test_${directory})
  set_tests_properties(${directory} PROPERTIES ENVIRONMENT "${TEST_ENVIRONMENT}")
  edm_add_products("${TESTS}/${directory}/plugins" "")
endforeach()

# A configuration that must end well, or, in one of these sanitizers' builds, with this report.
function(cmsrun_test name config)
  cmake_parse_arguments(arg "" "SANITIZER;REPORT" "" ${ARGN})
  if(arg_SANITIZER AND NOT SANITIZE MATCHES "${arg_SANITIZER}")
    return()
  endif()
  add_test(NAME ${name} COMMAND cmsRun "${TESTS}/${config}")
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "${TEST_ENVIRONMENT}" TIMEOUT 300)
  if(arg_REPORT)
    set_tests_properties(${name} PROPERTIES PASS_REGULAR_EXPRESSION "${arg_REPORT}")
  endif()
endfunction()

cmsrun_test(threads host/configurations/threads_cfg.py)
cmsrun_test(injected_race host/configurations/race_cfg.py SANITIZER thread
            REPORT "WARNING: ThreadSanitizer: data race.*RaceProducer")
cmsrun_test(injected_overflow host/configurations/overflow_cfg.py SANITIZER address
            REPORT "ERROR: AddressSanitizer: heap-buffer-overflow.*OverflowProducer")
cmsrun_test(injected_integer_overflow host/configurations/integerOverflow_cfg.py SANITIZER undefined
            REPORT "runtime error: signed integer overflow.*OverflowProducer")
