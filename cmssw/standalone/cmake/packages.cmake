# Reads BuildFile.xml, as far as the packages here use it, and makes CMake targets of the packages of a directory:
# <Subsystem>/<Package>/{interface,src} is a library, with a ROOT dictionary if there is src/classes_def.xml,
# plugins/ holds <library>s with EDM_PLUGIN, bin/ holds <bin>s, python/ goes to the area's python.

# How the build runs its own tools: leaks of ROOT at their end are not what a sanitizer's build is about. Descriptions
# of parameters may name data files, which edm::FileInPath must find.
set(EDM_RUN ${CMAKE_COMMAND} -E env ASAN_OPTIONS=detect_leaks=0 "CMSSW_SEARCH_PATH=${PACKAGES}")

set_property(GLOBAL PROPERTY EDM_PLUGINS "")
set_property(GLOBAL PROPERTY EDM_PYTHON "")

# The values of an attribute, as in <use name="...">, of all tags of a kind in a text.
function(edm_attributes text tag attribute result)
  string(REGEX MATCHALL "<${tag}[ \t\n][^>]*>" tags "${text}")
  set(values "")
  foreach(match IN LISTS tags)
    if(match MATCHES "${attribute}=\"([^\"]*)\"")
      list(APPEND values "${CMAKE_MATCH_1}")
    endif()
  endforeach()
  set(${result} "${values}" PARENT_SCOPE)
endfunction()

# Links a target with what a text uses: packages (their library carries their own uses along) and external tools.
function(edm_use target scope text where)
  edm_attributes("${text}" use name names)
  foreach(name IN LISTS names)
    string(REPLACE "/" "" library "${name}")
    if(TARGET ext::${name})
      target_link_libraries(${target} ${scope} ext::${name})
    elseif(EXISTS "${CMAKE_SOURCE_DIR}/src/${name}/BuildFile.xml" OR EXISTS "${PACKAGES}/${name}/BuildFile.xml")
      target_link_libraries(${target} ${scope} ${library})
    else()
      message(FATAL_ERROR "${where}: <use name=\"${name}\"/> names neither a package nor a tool that the host knows")
    endif()
  endforeach()
endfunction()

# The source of a ROOT dictionary, made by genreflex.
function(edm_dictionary library root package result)
  set(directory "${CMAKE_BINARY_DIR}/dictionaries/${library}")
  set(source "${directory}/${library}_xr.cc")
  set(pcm "lib${library}_rdict.pcm")
  file(MAKE_DIRECTORY "${directory}")
  file(GLOB headers CONFIGURE_DEPENDS "${root}/${package}/interface/*.h")
  add_custom_command(
    OUTPUT "${source}" "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/${pcm}"
    COMMAND "${GENREFLEX}" "${package}/src/classes.h" -s "${package}/src/classes_def.xml" -o "${source}"
            -l "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/lib${library}.so" "-I${root}" "-I${CMAKE_SOURCE_DIR}/src"
    WORKING_DIRECTORY "${root}"
    DEPENDS "${root}/${package}/src/classes.h" "${root}/${package}/src/classes_def.xml" ${headers}
            "${CMAKE_SOURCE_DIR}/src/DataFormats/Common/interface/Wrapper.h"
    COMMENT "Dictionary of ${package}" VERBATIM)
  set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "-w")  # generated: not ours to warn about
  install(FILES "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/${pcm}" DESTINATION lib)
  set(${result} "${source}" PARENT_SCOPE)
endfunction()

function(edm_package_library root package)
  set(directory "${root}/${package}")
  string(REPLACE "/" "" library "${package}")
  file(READ "${directory}/BuildFile.xml" text)
  file(GLOB sources CONFIGURE_DEPENDS "${directory}/src/*.cc")
  if(EXISTS "${directory}/src/classes_def.xml")
    edm_dictionary(${library} "${root}" "${package}" dictionary)
    list(APPEND sources "${dictionary}")
  endif()
  if(NOT sources)
    add_library(${library} INTERFACE)
    target_include_directories(${library} INTERFACE "${root}")
    edm_use(${library} INTERFACE "${text}" "${package}/BuildFile.xml")
    return()
  endif()
  add_library(${library} SHARED ${sources})
  target_include_directories(${library} PUBLIC "${root}" "${CMAKE_SOURCE_DIR}/src")
  edm_use(${library} PUBLIC "${text}" "${package}/BuildFile.xml")
  if(dictionary)
    target_link_libraries(${library} PRIVATE ext::root)
    add_dependencies(${library} edmCheckClassVersion)
    add_custom_command(TARGET ${library} POST_BUILD COMMAND ${EDM_RUN} $<TARGET_FILE:edmCheckClassVersion>
                       $<TARGET_FILE:${library}> "${directory}/src/classes_def.xml" VERBATIM)
  endif()
  set_property(GLOBAL APPEND PROPERTY EDM_LIBRARIES ${library})
  install(TARGETS ${library} LIBRARY DESTINATION lib)
endfunction()

# The <library>s and <bin>s of a BuildFile in plugins/, bin/ or a test's directory.
function(edm_add_products directory package)
  if(NOT EXISTS "${directory}/BuildFile.xml")
    return()
  endif()
  file(READ "${directory}/BuildFile.xml" text)
  string(REGEX REPLACE "</(library|bin)>" ";" blocks "${text}")
  foreach(block IN LISTS blocks)
    foreach(tag library bin)
      edm_attributes("${block}" ${tag} name name)
      if(NOT name)
        continue()
      endif()
      edm_attributes("${block}" ${tag} file patterns)
      string(REPLACE " " ";" patterns "${patterns}")
      list(TRANSFORM patterns PREPEND "${directory}/")
      file(GLOB sources CONFIGURE_DEPENDS ${patterns})
      if(tag STREQUAL "bin")
        add_executable(${name} ${sources})
        install(TARGETS ${name} RUNTIME DESTINATION bin)
      elseif(block MATCHES "EDM_PLUGIN=\"1\"")
        add_library(${name} MODULE ${sources})
        set_target_properties(${name} PROPERTIES PREFIX "plugin")
        set_property(GLOBAL APPEND PROPERTY EDM_PLUGINS ${name})
        set_property(GLOBAL PROPERTY EDM_PACKAGE_OF_${name} "${package}")
      else()
        message(FATAL_ERROR "${directory}/BuildFile.xml: ${name} is a <library> without EDM_PLUGIN")
      endif()
      target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/src" "${PACKAGES}")
      edm_use(${name} PRIVATE "${block}" "${directory}/BuildFile.xml")
    endforeach()
  endforeach()
endfunction()

function(edm_add_packages root)
  file(GLOB buildfiles CONFIGURE_DEPENDS RELATIVE "${root}" "${root}/*/*/BuildFile.xml" "${root}/*/*/*/BuildFile.xml")
  file(GLOB pythons CONFIGURE_DEPENDS RELATIVE "${root}" "${root}/*/*/python")
  set(packages "")
  foreach(buildfile IN LISTS buildfiles)
    string(REGEX REPLACE "^([^/]+/[^/]+)/.*$" "\\1" package "${buildfile}")
    list(APPEND packages "${package}")
  endforeach()
  list(REMOVE_DUPLICATES packages)
  foreach(package IN LISTS packages)
    if(EXISTS "${root}/${package}/BuildFile.xml")
      edm_package_library("${root}" "${package}")
    endif()
    edm_add_products("${root}/${package}/plugins" "${package}")
    edm_add_products("${root}/${package}/bin" "${package}")
  endforeach()
  foreach(python IN LISTS pythons)
    get_filename_component(package "${python}" DIRECTORY)
    set_property(GLOBAL APPEND PROPERTY EDM_PYTHON "${root}/${python}:${package}")
  endforeach()
endfunction()

# Plugins' libraries, once all are known: what cmsRun needs to find them, and the cfi files of their modules.
function(edm_finish_area)
  get_property(plugins GLOBAL PROPERTY EDM_PLUGINS)
  get_property(pythons GLOBAL PROPERTY EDM_PYTHON)
  set(python_directory "${CMAKE_BINARY_DIR}/python")

  set(copies "")
  set(inputs "")
  foreach(entry IN LISTS pythons)
    string(REGEX MATCH "^(.*):(.*)$" _ "${entry}")
    set(source "${CMAKE_MATCH_1}")
    set(package "${CMAKE_MATCH_2}")
    file(GLOB files CONFIGURE_DEPENDS "${source}/*.py")
    list(APPEND inputs ${files})
    list(APPEND copies COMMAND ${CMAKE_COMMAND} -E copy_directory "${source}" "${python_directory}/${package}")
  endforeach()
  set(cfis "")
  foreach(plugin IN LISTS plugins)
    get_property(package GLOBAL PROPERTY EDM_PACKAGE_OF_${plugin})
    if(package)
      list(APPEND cfis COMMAND ${EDM_RUN} $<TARGET_FILE:edmWriteConfigs> $<TARGET_FILE:${plugin}>
           "${python_directory}/${package}")
    endif()
  endforeach()
  # Generated files first: a package's own file of the same name wins, as in CMSSW.
  add_custom_command(
    OUTPUT "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/.edmplugincache"
    COMMAND ${CMAKE_COMMAND} -E rm -rf "${python_directory}"
    COMMAND ${CMAKE_COMMAND} -E make_directory "${python_directory}"
    ${cfis}
    ${copies}
    COMMAND ${EDM_RUN} $<TARGET_FILE:edmPluginRefresh> "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}"
    DEPENDS edmWriteConfigs edmPluginRefresh ${plugins} ${inputs}
    COMMENT "Python configurations and plugin cache" VERBATIM)
  add_custom_target(area ALL DEPENDS "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/.edmplugincache")

  foreach(plugin IN LISTS plugins)
    get_property(package GLOBAL PROPERTY EDM_PACKAGE_OF_${plugin})
    if(package)  # a test's plugin has none, and stays here
      install(TARGETS ${plugin} LIBRARY DESTINATION lib)
    endif()
  endforeach()
  install(DIRECTORY "${python_directory}" DESTINATION . PATTERN "__pycache__" EXCLUDE)
  file(GLOB onnxruntime "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/libonnxruntime*")
  install(FILES ${onnxruntime} DESTINATION lib)
  # Data files, where edm::FileInPath looks for them.
  file(GLOB data CONFIGURE_DEPENDS RELATIVE "${PACKAGES}" "${PACKAGES}/*/*/data")
  foreach(directory IN LISTS data)
    install(DIRECTORY "${PACKAGES}/${directory}/" DESTINATION "src/${directory}")
  endforeach()
  file(CREATE_LINK "${PACKAGES}" "${CMAKE_BINARY_DIR}/src" SYMBOLIC)
  install(CODE "execute_process(COMMAND \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin/edmPluginRefresh\"
    \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib\" COMMAND_ERROR_IS_FATAL ANY)")
endfunction()
