# A room is one static library in src/<name>/ with its unit tests beside the sources.
#
#   bagel_room(NAME SOURCES a.cc b.cc TESTS a_test.cc DEPS base formats LIBS PNG::PNG
#              TEST_LIBS bagel_http_testing)
#
# DEPS are other rooms; only rooms listed above this one in ARCHITECTURE.md may appear there, and
# tools/check_rooms.py fails when an #include goes to a room that is not among them. LIBS are
# libraries from outside, TEST_LIBS what only the tests link.
function(bagel_room NAME)
  cmake_parse_arguments(ROOM "" "" "SOURCES;TESTS;DEPS;LIBS;TEST_LIBS" ${ARGN})
  add_library(bagel_${NAME} STATIC ${ROOM_SOURCES})
  target_include_directories(bagel_${NAME} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  bagel_warnings(bagel_${NAME})
  foreach(dep ${ROOM_DEPS})
    target_link_libraries(bagel_${NAME} PUBLIC bagel_${dep})
  endforeach()
  target_link_libraries(bagel_${NAME} PRIVATE ${ROOM_LIBS})
  if(BAGEL_TESTS AND ROOM_TESTS)
    bagel_test(${NAME}_test SOURCES ${ROOM_TESTS} LIBS bagel_${NAME} ${ROOM_LIBS} ${ROOM_TEST_LIBS})
  endif()
endfunction()

# One GoogleTest program, registered with CTest as a whole; runs in the repository root. What the
# pattern LONG names is left to ./test.sh --all.
function(bagel_test NAME)
  cmake_parse_arguments(TEST "" "LONG" "SOURCES;LIBS" ${ARGN})
  add_executable(${NAME} ${TEST_SOURCES})
  bagel_warnings(${NAME})
  target_link_libraries(${NAME} PRIVATE ${TEST_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
  set(filter)
  if(TEST_LONG)
    set(filter --gtest_filter=-${TEST_LONG})
  endif()
  add_test(NAME ${NAME} COMMAND ${NAME} ${filter} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

function(bagel_warnings TARGET)
  target_compile_options(${TARGET} PRIVATE -Wall -Wextra -Wshadow -Wconversion)
  if(BAGEL_WERROR)
    target_compile_options(${TARGET} PRIVATE -Werror)
  endif()
endfunction()

# Rooms whose loops run for minutes under sanitizers: optimized, and their pointers are checked by
# AddressSanitizer alone, which is half of the time.
function(bagel_hot_room NAME)
  if(BAGEL_SANITIZE)
    target_compile_options(bagel_${NAME} PRIVATE -O2 -fno-sanitize=null,alignment)
  endif()
endfunction()
