# What is installed beside the programs and their data, and the Debian packages `bagel` and `sophia`
# that CPack makes of it (./package.sh).

# The services of a component, and samples of their settings.
function(bagel_install_services COMPONENT)
  install(FILES packaging/systemd/${COMPONENT}.default
          DESTINATION share/${COMPONENT}/systemd COMPONENT ${COMPONENT})
  foreach(service ${ARGN})
    install(FILES packaging/systemd/${service}.service
            DESTINATION lib/systemd/system COMPONENT ${COMPONENT})
  endforeach()
endfunction()

# Its manual page and completions, made by the program itself from its options: not where
# sanitizers slow it down or it is for another processor.
function(bagel_install_documents COMPONENT)
  if(BAGEL_SANITIZE OR CMAKE_CROSSCOMPILING)
    return()
  endif()
  set(folder ${PROJECT_BINARY_DIR}/documents/${COMPONENT})
  set(frame ${PROJECT_SOURCE_DIR}/packaging/man/${COMPONENT}.1.in)
  set(write "$<TARGET_FILE:${COMPONENT}> option-tables")
  find_program(GZIP gzip REQUIRED)
  add_custom_command(
    OUTPUT ${folder}/${COMPONENT}.1.gz ${folder}/${COMPONENT} ${folder}/_${COMPONENT}
           ${folder}/${COMPONENT}.fish
    COMMAND sh -ec "mkdir -p ${folder}; cd ${folder}; ${write} man <${frame} >${COMPONENT}.1; ${GZIP} -9nf ${COMPONENT}.1; ${write} bash >${COMPONENT}; ${write} zsh >_${COMPONENT}; ${write} fish >${COMPONENT}.fish"
    DEPENDS ${COMPONENT} ${frame}
    COMMENT "Manual page and completions of ${COMPONENT}"
    VERBATIM)
  add_custom_target(${COMPONENT}_documents ALL DEPENDS ${folder}/${COMPONENT}.1.gz)
  install(FILES ${folder}/${COMPONENT}.1.gz DESTINATION share/man/man1 COMPONENT ${COMPONENT})
  install(FILES ${folder}/${COMPONENT}
          DESTINATION share/bash-completion/completions COMPONENT ${COMPONENT})
  install(FILES ${folder}/_${COMPONENT}
          DESTINATION share/zsh/vendor-completions COMPONENT ${COMPONENT})
  install(FILES ${folder}/${COMPONENT}.fish
          DESTINATION share/fish/vendor_completions.d COMPONENT ${COMPONENT})
endfunction()

# What only the package of a component holds: the settings that its services read, the copyright, the
# changes; and the scripts that run when it comes and goes. SERVICES are those to stop then.
function(bagel_package_files COMPONENT SERVICES)
  set(folder ${PROJECT_BINARY_DIR}/package/${COMPONENT})
  configure_file(packaging/debian/changelog.in ${folder}/changelog @ONLY)
  foreach(script postinst prerm postrm)
    configure_file(packaging/debian/${script}.in ${folder}/${script} @ONLY
                   FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                                    WORLD_READ WORLD_EXECUTE)
  endforeach()
  file(WRITE ${folder}/conffiles "/etc/default/${COMPONENT}\n")
  find_program(GZIP gzip REQUIRED)
  execute_process(COMMAND ${GZIP} -9nkf ${folder}/changelog COMMAND_ERROR_IS_FATAL ANY)
  install(FILES packaging/debian/copyright ${folder}/changelog.gz
          DESTINATION share/doc/${COMPONENT} COMPONENT ${COMPONENT} EXCLUDE_FROM_ALL)
  install(FILES packaging/systemd/${COMPONENT}.default DESTINATION /etc/default
          RENAME ${COMPONENT} COMPONENT ${COMPONENT} EXCLUDE_FROM_ALL)
endfunction()

bagel_install_services(bagel bagel-api bagel@)
install(FILES packaging/systemd/bagel-cuda.conf
        DESTINATION share/bagel/systemd COMPONENT bagel)
bagel_install_documents(bagel)
bagel_package_files(bagel "bagel-api.service bagel@*.service")
if(BAGEL_VISION)
  bagel_install_services(sophia sophia)
  bagel_install_documents(sophia)
  bagel_package_files(sophia "sophia.service")
endif()

# All that the packages hold.
add_custom_target(packaged DEPENDS bagel $<TARGET_NAME_IF_EXISTS:bagel_documents>
                                   $<TARGET_NAME_IF_EXISTS:sophia_documents>
                                   $<TARGET_NAME_IF_EXISTS:bagel_cuda_plugin>)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "bagel.cpp maintainers <bagel.cpp@users.noreply.github.com>")
set(CPACK_COMPONENTS_ALL bagel)
if(BAGEL_VISION)
  list(APPEND CPACK_COMPONENTS_ALL sophia)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_SET_DESTDIR ON)  # for what goes to /etc
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
foreach(component ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${component} name)
  set(folder ${PROJECT_BINARY_DIR}/package/${component})
  set(CPACK_DEBIAN_${name}_PACKAGE_NAME ${component})
  set(CPACK_DEBIAN_${name}_PACKAGE_SECTION science)
  set(CPACK_DEBIAN_${name}_PACKAGE_CONTROL_EXTRA
      ${folder}/conffiles ${folder}/postinst ${folder}/prerm ${folder}/postrm)
endforeach()
set(CPACK_DEBIAN_BAGEL_DESCRIPTION "vision model BAGEL: program and server
BAGEL-7B-MoT looks at pictures, answers in words, draws and edits. This is the
program, a server behind Ollama's HTTP API, its services for systemd, and a
small demo model that knows drawn pictures. The published model's weights are
not part of it.")
set(CPACK_DEBIAN_BAGEL_PACKAGE_SUGGESTS sophia)
set(CPACK_DEBIAN_SOPHIA_DESCRIPTION "camera client of vision models: who is there and how they feel
Takes a frame of a camera, a stream or a file, finds the face, asks a vision
server (bagel serve, or Ollama) what it sees, and makes a report of it: once,
over HTTP as a service, or whenever something moves.")
set(CPACK_DEBIAN_SOPHIA_PACKAGE_DEPENDS opencv-data)
set(CPACK_DEBIAN_SOPHIA_PACKAGE_SUGGESTS bagel)
include(CPack)
