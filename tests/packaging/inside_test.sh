#!/usr/bin/env bash
# The part of install_test.sh that runs inside the new system, whose /debs are the packages.
set -euo pipefail
source /traces.sh

fail() {
  echo "$*" >&2
  exit 1
}

apt_get() {
  apt-get -qq -o Dpkg::Use-Pty=0 -o APT::Install-Recommends=false "$@" >/tmp/apt.log 2>&1 ||
    { tail -n 30 /tmp/apt.log; fail "apt-get $*"; }
}

enabled() {
  find /etc/systemd/system -name '*.service' -lname '/usr/lib/systemd/system/*' \
    -o -name '*.service' -lname '/lib/systemd/system/*' | grep -E 'bagel|sophia' || true
}

[[ -z "$(traces)" ]] || fail "there before: $(traces)"
apt_get update
apt_get install /debs/*.deb
[[ -z "$(enabled)" ]] || fail "enabled without being asked: $(enabled)"
dpkg --verify bagel sophia

echo "== bagel"
cd /tmp
cp /usr/share/sophia/pictures/person-01.jpg person.jpg
bagel --version
bagel describe --image person.jpg --temperature 0 2>/dev/null | tee answer
grep -q "happy person with long brown hair" answer
bagel generate --prompt "Show me a happy person" --steps 2 --seed 1 -o drawn.png
[[ -s drawn.png ]] || fail "no picture"

echo "== sophia, asking bagel"
bagel serve --port 0 2>server.log &
server=$!
port=""
for _ in $(seq 100); do
  port="$(sed -n 's/.*listening on http:.*:\([0-9]*\)$/\1/p' server.log)"
  [[ -z "$port" ]] || break
  sleep 0.1
done
sophia look --camera demo --objects none --server "http://127.0.0.1:$port" | tee look
grep -q "^Mood: happy" look
sophia faces person.jpg
kill "$server"
wait "$server"

echo "== reinstalled over itself: settings and choices stay"
echo "# mine" >>/etc/default/bagel
apt_get install --reinstall /debs/bagel_*.deb
grep -q "^# mine" /etc/default/bagel || fail "an upgrade took the settings"
[[ -z "$(enabled)" ]] || fail "enabled by the second installation: $(enabled)"
# What systemctl enable does, which needs a systemd that runs.
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -s /usr/lib/systemd/system/bagel-api.service /etc/systemd/system/multi-user.target.wants/
apt_get install --reinstall /debs/bagel_*.deb
[[ "$(enabled)" == */multi-user.target.wants/bagel-api.service ]] || fail "not enabled any more"

echo "== removed, back again, purged"
mkdir -p /var/cache/private/bagel/model.nf4
ln -s private/bagel /var/cache/bagel
apt_get remove bagel sophia
for path in /usr/bin/bagel /usr/share/bagel /usr/lib/systemd/system/bagel-api.service; do
  [[ ! -e $path ]] || fail "$path is still there"
done
[[ -e /etc/default/bagel && -e /var/cache/bagel ]] || fail "removal took what a purge takes"
apt_get install /debs/*.deb
[[ "$(enabled)" == */multi-user.target.wants/bagel-api.service ]] || fail "not enabled any more"
apt_get purge bagel sophia
[[ -z "$(traces)" ]] || fail "left behind: $(traces)"
echo "nothing is left"
