# A Python environment of the project's own, in the build folder. To be sourced.

# python_environment NAME PACKAGE...: makes build/NAME and installs the packages there, once for each
# list of packages. Sets PYTHON.
python_environment() {
  local folder="build/$1"
  shift
  if [[ ! -x "$folder/bin/python" ]]; then
    python3 -m venv "$folder"
  fi
  PYTHON="$folder/bin/python"
  if [[ "$(cat "$folder/packages" 2>/dev/null)" != "$*" ]]; then
    "$PYTHON" -m pip install -q --disable-pip-version-check "$@"
    echo "$*" >"$folder/packages"
  fi
}
