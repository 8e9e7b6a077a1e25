# Defines ext::<name> for the external tools that a BuildFile may <use>.

find_program(PYTHON_EXECUTABLE python3 REQUIRED)

# The directory of an installed Python package, or nothing.
function(python_package name result)
  execute_process(
    COMMAND "${PYTHON_EXECUTABLE}" -c
            "import importlib.util as u; s = u.find_spec('${name}'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE directory OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${result} "${directory}" PARENT_SCOPE)
endfunction()

function(external name)
  cmake_parse_arguments(arg "" "" "INCLUDE;LIBRARIES" ${ARGN})
  add_library(ext_${name} INTERFACE)
  add_library(ext::${name} ALIAS ext_${name})
  target_include_directories(ext_${name} SYSTEM INTERFACE ${arg_INCLUDE})
  target_link_libraries(ext_${name} INTERFACE ${arg_LIBRARIES})
  foreach(library IN LISTS arg_LIBRARIES)
    get_filename_component(directory "${library}" DIRECTORY)
    list(APPEND CMAKE_INSTALL_RPATH "${directory}")
  endforeach()
  list(REMOVE_DUPLICATES CMAKE_INSTALL_RPATH)
  set(CMAKE_INSTALL_RPATH "${CMAKE_INSTALL_RPATH}" PARENT_SCOPE)
endfunction()

function(require variable remedy)
  if(NOT ${variable})
    message(FATAL_ERROR "${remedy}")
  endif()
endfunction()

set(HEADERS "${CMAKE_SOURCE_DIR}/../../.deps" CACHE PATH "Directory that fetch-headers has filled")
get_filename_component(HEADERS "${HEADERS}" ABSOLUTE)
execute_process(COMMAND "${PYTHON_EXECUTABLE}" -c "import sys; print(sys.prefix)"
                OUTPUT_VARIABLE PYTHON_PREFIX OUTPUT_STRIP_TRAILING_WHITESPACE)

# ROOT, with the oneTBB and the nlohmann/json that it carries: a process must not hold two oneTBBs.
python_package(ROOT ROOT_DIRECTORY)
require(ROOT_DIRECTORY "${PYTHON_EXECUTABLE} has no ROOT: pip install ROOT, and have that environment first in PATH")
set(GENREFLEX "${ROOT_DIRECTORY}/bin/genreflex")
set(root_libraries "")
foreach(name Core RIO Tree Hist MathCore Thread)
  list(APPEND root_libraries "${ROOT_DIRECTORY}/lib/lib${name}.so")
endforeach()
external(root INCLUDE "${ROOT_DIRECTORY}/include" LIBRARIES ${root_libraries})
external(json INCLUDE "${ROOT_DIRECTORY}/include")

find_path(TBB_INCLUDE oneapi/tbb/task_group.h HINTS "${PYTHON_PREFIX}/include")
require(TBB_INCLUDE "no headers of oneTBB: pip install tbb-devel, or install libtbb-dev")
external(tbb INCLUDE "${TBB_INCLUDE}" LIBRARIES "${ROOT_DIRECTORY}/lib/libtbb.so.12")

# Newer headers than the library would ask for an interface that it does not have; Debian's are older.
find_path(ONNXRUNTIME_INCLUDE onnxruntime/onnxruntime_cxx_api.h HINTS "${HEADERS}/include")
require(ONNXRUNTIME_INCLUDE "no headers of ONNX Runtime: run fetch-headers .deps, or install libonnxruntime-dev")
python_package(onnxruntime ONNXRUNTIME_DIRECTORY)
file(GLOB ONNXRUNTIME_LIBRARY "${ONNXRUNTIME_DIRECTORY}/capi/libonnxruntime.so.*")
if(NOT ONNXRUNTIME_LIBRARY)
  find_library(ONNXRUNTIME_LIBRARY onnxruntime)
endif()
require(ONNXRUNTIME_LIBRARY "no ONNX Runtime: pip install onnxruntime, or install libonnxruntime-dev")
# The wheel's file is called libonnxruntime.so.1.x.y, but programs look for libonnxruntime.so.1; and that looks for its
# providers (CUDA, with what all of them share) in the folder where it was found itself.
file(MAKE_DIRECTORY "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}")
file(CREATE_LINK "${ONNXRUNTIME_LIBRARY}" "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/libonnxruntime.so.1" SYMBOLIC)
file(GLOB providers "${ONNXRUNTIME_DIRECTORY}/capi/libonnxruntime_providers_*.so")
foreach(provider IN LISTS providers)
  get_filename_component(name "${provider}" NAME)
  file(CREATE_LINK "${provider}" "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/${name}" SYMBOLIC)
endforeach()
external(onnxruntime INCLUDE "${ONNXRUNTIME_INCLUDE}" "${ONNXRUNTIME_INCLUDE}/onnxruntime"
         LIBRARIES "${ONNXRUNTIME_LIBRARY}")
