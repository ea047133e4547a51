#!/usr/bin/env bash
# package_test.sh BUILD: the packages of a build please lintian, hold what they should, and what they
# hold works where it is unpacked, away from the sources.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

# gzip: xz would take ten seconds for a few percent.
tools/make_debs.sh "$1" "$folder/debs" -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip
lintian --allow-root --fail-on error,warning "$folder"/debs/*.deb

root="$folder/root"
for package in bagel sophia; do
  dpkg-deb -x "$folder/debs/$package"_*.deb "$root"
  for file in "usr/bin/$package" "etc/default/$package" "usr/share/doc/$package/copyright"; do
    [[ -s "$root/$file" ]] || { echo "$package lacks /$file"; exit 1; }
  done
done
for page in "$root"/usr/share/man/man1/*.gz; do
  complaints="$(man --warnings -l "$page" 2>&1 >/dev/null)"
  [[ -z "$complaints" ]] || { echo "$complaints"; exit 1; }
done
python3 tests/packaging/completions_test.py "$root/usr/share"
for unit in packaging/systemd/*.service; do
  cmp "$unit" "$root/usr/lib/systemd/system/$(basename "$unit")"
done
if grep -lF "$PWD" -r "$root"; then
  echo "these name the folder of the sources"
  exit 1
fi

cp "$root/usr/share/sophia/pictures/person-01.jpg" "$folder/person.jpg"
cd /
answer="$("$root/usr/bin/bagel" describe --image "$folder/person.jpg" --temperature 0 2>/dev/null)"
echo "$answer"
[[ "$answer" == *"happy person with long brown hair"* ]]
"$root/usr/bin/sophia" faces "$folder/person.jpg" | tee "$folder/faces"
grep -q "the main one" "$folder/faces"
