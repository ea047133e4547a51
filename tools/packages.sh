# The Debian 12 packages this project needs, in the one place that every script reads, and the
# functions that fetch them. To be sourced.

# To build and run the program.
BUILD_PACKAGES=(
  build-essential
  ccache
  cmake
  libboost1.81-dev
  libcli11-dev
  libcurl4-openssl-dev
  libhwy-dev
  libjpeg62-turbo-dev
  libmosquitto-dev
  libopencv-dev
  libpcre2-dev
  libpng-dev
  libspdlog-dev
  libutf8proc-dev
  libwebp-dev
  ninja-build
  nlohmann-json3-dev
  opencv-data
  pkgconf
  prometheus-cpp-dev
)

# To build the GPU library.
GPU_PACKAGES=(clang-19 python3-venv)

# To make the Debian packages.
PACKAGING_PACKAGES=(dpkg-dev file gzip)

# To run the demo.
DEMO_PACKAGES=(curl jq)

# To build and run the tests.
TEST_PACKAGES=(bash-completion curl fish jq libgmock-dev libgtest-dev lintian man-db mosquitto python3
               python3-jsonschema python3-yaml systemd zsh)

# Whose files the tests read: photographs.
TEST_FILES=(python3-skimage)

# To check format and style.
CHECK_PACKAGES=(clang-format-14 clang-tidy-14 git)

# To try the server with the clients that people use.
CLIENT_PACKAGES=(python3-venv)

# To install the packages into a new system.
INSTALL_PACKAGES=(mmdebstrap)

# To boot one in a virtual machine.
MACHINE_PACKAGES=(e2fsprogs qemu-system-x86)

# To play a camera's stream to the tests.
STREAM_PACKAGES=(
  gir1.2-gst-rtsp-server-1.0
  gstreamer1.0-plugins-base
  gstreamer1.0-plugins-good
  python3-gi
)

# install_packages NAME...: installs those that are missing, saying which.
install_packages() {
  local missing=() package
  for package in "$@"; do
    if [[ "$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null)" != "install ok installed" ]]; then
      missing+=("$package")
    fi
  done
  if ((${#missing[@]} == 0)); then
    return
  fi
  echo "installing: ${missing[*]}"
  local sudo=()
  if ((EUID != 0)); then
    sudo=(sudo)
  fi
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# unpack_package NAME: the files of a package below build/packages/NAME, without installing it and
# what it depends on.
unpack_package() {
  local folder="build/packages/$1" download
  if [[ -d "$folder" ]]; then
    return
  fi
  echo "unpacking: $1"
  download="$(mktemp -d)"
  (cd "$download" && apt-get download -qq "$1" 2>/dev/null)
  mkdir -p build/packages
  dpkg-deb -x "$download"/"$1"_*.deb "$folder.part"
  mv "$folder.part" "$folder"
  rm -r "$download"
}

# new_debian ROOT [OPTION...]: a new system in the folder ROOT, from the archive that this one uses;
# options are mmdebstrap's. Needs root or user namespaces.
new_debian() {
  local root=$1 sources
  shift
  sources="$(grep -lr bookworm-updates /etc/apt/ --include='*.list' --include='*.sources' | head -n 1)"
  mmdebstrap --quiet --variant=apt "$@" bookworm "$root" "$sources"
}
