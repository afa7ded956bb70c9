# find_package(storeprof), with storeprof_DIR from `storeprof config --cmake-dir`:
#   target_link_libraries(engine PRIVATE storeprof::storeprof)    # probes are in
#   target_link_libraries(engine PRIVATE storeprof::headers)      # the macros leave nothing behind
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_path(storeprof_INCLUDE_DIR storeprof/profile.hpp NO_DEFAULT_PATH NO_CACHE
  PATHS "${CMAKE_CURRENT_LIST_DIR}/../include" "${CMAKE_CURRENT_LIST_DIR}/../../../include")
if(NOT storeprof_INCLUDE_DIR)
  set(storeprof_FOUND FALSE)
  set(storeprof_NOT_FOUND_MESSAGE "storeprof/profile.hpp does not lie beside ${CMAKE_CURRENT_LIST_DIR}: install storeprof again")
  return()
endif()
if(NOT TARGET storeprof::headers)
  add_library(storeprof::headers INTERFACE IMPORTED)
  set_target_properties(storeprof::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${storeprof_INCLUDE_DIR}")
  target_compile_features(storeprof::headers INTERFACE cxx_std_17)
  add_library(storeprof::storeprof INTERFACE IMPORTED)
  set_target_properties(storeprof::storeprof PROPERTIES INTERFACE_COMPILE_DEFINITIONS STOREPROF_ENABLE)
  target_link_libraries(storeprof::storeprof INTERFACE storeprof::headers Threads::Threads)
endif()
