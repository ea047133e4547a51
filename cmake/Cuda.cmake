# The GPU's compiler, from the first of these that there is:
#
#   BAGEL_CUDA_WHEELS  a folder that ./build-gpu.sh made of PyPI's packages, for clang: sm_70 and up
#   nvcc               of CUDA 12 (sm_70 and up) or 13 (sm_75 and up)
#
# BAGEL_CUDA_COMPILER is then its command, else empty, and the program is built for the CPU alone.
option(BAGEL_GPU "Build libbagel_cuda.so" OFF)
set(BAGEL_CUDA_WHEELS "" CACHE PATH "CUDA packages from PyPI, see build-gpu.sh")
set(BAGEL_CUDA_ARCHITECTURES "" CACHE STRING "Such as 70;90a; empty for all that the compiler has")

set(BAGEL_CUDA_COMPILER)
if(BAGEL_GPU AND BAGEL_CUDA_WHEELS)
  find_program(BAGEL_CLANG NAMES clang++-19 REQUIRED)
  set(BAGEL_CUDA_INCLUDE ${BAGEL_CUDA_WHEELS}/include)
  set(BAGEL_CUDART ${BAGEL_CUDA_WHEELS}/lib/libcudart_static.a)
  set(architectures 70 75 80 86 89 90a)
  if(BAGEL_CUDA_ARCHITECTURES)
    set(architectures ${BAGEL_CUDA_ARCHITECTURES})
  endif()
  set(BAGEL_CUDA_COMPILER ${BAGEL_CLANG} -x cuda --cuda-path=${BAGEL_CUDA_WHEELS}
    -isystem ${BAGEL_CUDA_INCLUDE} -ffile-prefix-map=${PROJECT_SOURCE_DIR}/= -Wno-unknown-cuda-version -fPIC -Wall -Wextra -Wshadow -Wconversion -Werror
    --no-cuda-include-ptx=all --cuda-include-ptx=sm_70)
  foreach(architecture ${architectures})
    list(APPEND BAGEL_CUDA_COMPILER --offload-arch=sm_${architecture})
  endforeach()
elseif(BAGEL_GPU)
  find_program(BAGEL_NVCC nvcc HINTS /usr/local/cuda/bin $ENV{CUDA_HOME}/bin)
  if(BAGEL_NVCC)
    execute_process(COMMAND ${BAGEL_NVCC} --version OUTPUT_VARIABLE version)
    string(REGEX MATCH "release ([0-9]+)" version "${version}")
    set(oldest 75)
    if(CMAKE_MATCH_1 LESS 13)
      set(oldest 70)
    endif()
    get_filename_component(toolkit ${BAGEL_NVCC}/../.. REALPATH)
    set(BAGEL_CUDA_INCLUDE ${toolkit}/include)
    set(BAGEL_CUDART ${toolkit}/lib64/libcudart_static.a)
    set(architectures ${oldest} 75 80 86 89 90a)
    if(BAGEL_CUDA_ARCHITECTURES)
      set(architectures ${BAGEL_CUDA_ARCHITECTURES})
    endif()
    list(REMOVE_DUPLICATES architectures)
    set(BAGEL_CUDA_COMPILER ${BAGEL_NVCC} --threads 2 -Werror all-warnings
      "-Xcompiler=-fPIC,-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=,-Wall,-Wextra,-Werror"
      -gencode arch=compute_${oldest},code=compute_${oldest})
    foreach(architecture ${architectures})
      list(APPEND BAGEL_CUDA_COMPILER
        -gencode arch=compute_${architecture},code=sm_${architecture})
    endforeach()
  endif()
endif()

# Both compilers must read the same headers: an older or newer CUDA in /usr/local/include would give
# them different ideas of what lies where.
if(BAGEL_CUDA_COMPILER)
  file(STRINGS ${BAGEL_CUDA_INCLUDE}/cuda_runtime_api.h version REGEX "#define CUDART_VERSION")
  string(REGEX MATCH "[0-9]+" version "${version}")
  set(BAGEL_CUDART_VERSION ${version})
endif()

# Compiles `sources` (.cu) and puts the object files into the variable OBJECTS.
function(bagel_cuda_objects OBJECTS)
  set(objects)
  foreach(source ${ARGN})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${source}.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${CCACHE} ${BAGEL_CUDA_COMPILER} -std=c++20 -O3 -I${PROJECT_SOURCE_DIR}/src
        -DBAGEL_CUDART_VERSION=${BAGEL_CUDART_VERSION} -MD -MF ${object}.d -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
      DEPENDS ${source}
      DEPFILE ${object}.d
      COMMENT "Building CUDA object ${source}"
      VERBATIM)
    list(APPEND objects ${object})
  endforeach()
  set(${OBJECTS} ${objects} PARENT_SCOPE)
endfunction()
