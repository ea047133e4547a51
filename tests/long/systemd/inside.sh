#!/usr/bin/env bash
# The part of systemd.sh that runs inside the machine: a line for each thing that should hold, and
# "all is well" at the end if all do. Times are generous: the processor may be emulated.
set -uo pipefail
source /traces.sh
failed=0

# check WHAT COMMAND...
check() {
  local what=$1
  shift
  if "$@" >/run/output 2>&1; then
    echo "ok      $what"
  else
    echo "FAILED  $what"
    tail -n 20 /run/output
    failed=$((failed + 1))
  fi
}

# within SECONDS COMMAND...: whether it succeeds in that time.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 1
  done
}

property() { systemctl show -P "$2" "$1"; }

# set_up SERVICE OPTIONS...: the only line of its settings from now on.
set_up() {
  local name=$1
  shift
  echo "${name^^}_OPTIONS=$*" >"/etc/default/$name"
}

# is_another SERVICE PROCESS: it has said that it is ready, as another process than this one.
is_another() { systemctl -q is-active "$1" && [[ "$(property "$1" MainPID)" != "$2" ]]; }

# comes_back SERVICE SIGNAL: the service is there again after its process got the signal.
comes_back() {
  local process
  process="$(property "$1" MainPID)"
  kill "-$2" "$process"
  within 300 is_another "$1" "$process" && [[ ! -e "/proc/$process" ]]
}

# watched SERVICE: when its process stands still, systemd notices, ends it and starts another one.
watched() {
  mkdir -p "/run/systemd/system/$1.service.d"
  printf '[Service]\nWatchdogSec=20s\n' >"/run/systemd/system/$1.service.d/watchdog.conf"
  systemctl daemon-reload
  systemctl restart "$1"
  sleep 45 # it lives while it works
  [[ "$(property "$1" NRestarts)" == 0 ]] || return 1
  comes_back "$1" STOP && journalctl -q -u "$1" --grep "Watchdog timeout" || return 1
  # On an emulated processor one layer may take longer than that.
  rm -r "/run/systemd/system/$1.service.d"
  systemctl daemon-reload
  systemctl restart "$1"
}

# stops SERVICE: at once, and as if nothing had been wrong.
stops() {
  systemctl stop "$1"
  [[ "$(property "$1" Result) $(property "$1" ExecMainStatus)" == "success 0" ]]
}

# gives_up SERVICE STATUS: it fails with this exit status, which no restart would mend.
gives_up() {
  ! systemctl start "$1" && [[ "$(property "$1" ExecMainStatus) $(property "$1" NRestarts)" == "$2 0" ]] &&
    systemctl reset-failed "$1" # systemd remembers failures, also of units that are gone
}

# answers PORT PATH EXPRESSION [CURL_OPTION...]: what is answered matches.
answers() {
  local url="http://127.0.0.1:$1$2" expression=$3
  shift 3
  curl -sS --max-time 600 "$@" "$url" | tee /dev/stderr | grep -qE "$expression"
}

describes() {
  base64 -w 0 /usr/share/sophia/pictures/person-01.jpg |
    sed 's/.*/{"prompt":"Describe this image.","images":["&"],"stream":false,"options":{"temperature":0}}/' \
      >/run/question
  answers 8095 /api/generate "happy person with long brown hair" --data-binary @/run/question
}

# runs_as SERVICE USER: who exists only while it does.
runs_as() {
  ! grep "^$2:" /etc/passwd && [[ "$(stat -c %U "/proc/$(property "$1" MainPID)")" == "$2" ]]
}

no_complaints() { ! journalctl -q _PID=1 -p warning | grep -E 'bagel|sophia'; }
exposure() { systemd-analyze security --threshold=20 --no-pager "$1"; }

nothing_is_left() {
  ! {
    traces
    getent passwd bagel sophia
    systemctl list-unit-files --no-legend '*bagel*' '*sophia*'
    systemctl list-units --all --type=service --no-legend '*bagel*' '*sophia*'
  } | grep .
}

echo "booted $(uname -r), $(systemctl --version | head -n 1), $(systemd-detect-virt)"
check "bagel-api, which was enabled, says that it is ready" within 600 systemctl -q is-active bagel-api
check "its status says what it serves" grep -q "^Serving" <(property bagel-api StatusText)
check "it runs as a user who exists only while it does" runs_as bagel-api bagel
check "it lists its model" answers 8095 /api/tags '"name":"bagel'
check "it describes a picture" describes
check "nobody has started sophia" test "$(property sophia ActiveState)" = inactive
set_up sophia --server http://127.0.0.1:8095 --timeout 600 --camera demo
check "sophia starts" timeout 300 systemctl enable --now sophia
check "it is healthy" answers 8096 /healthz ok
check "it looks through bagel-api" within 600 answers 8096 /look '"label":"[a-z]+"' -X POST
check "it runs as such a user too" runs_as sophia sophia
check "systemd has no complaints" no_complaints
check "bagel-api leaves little to attack" exposure bagel-api
check "sophia leaves little to attack" exposure sophia
for service in bagel-api sophia; do
  check "$service comes back when it was killed" comes_back "$service" KILL
  check "$service comes back when it stands still" watched "$service"
done
check "sophia looks again" within 600 answers 8096 /look '"label":"[a-z]+"' -X POST

modprobe vivid
set_up sophia --server http://127.0.0.1:8095 --timeout 600 --camera /dev/video0
check "sophia starts with a camera of the kernel's" timeout 300 systemctl restart sophia
check "it sees through it" within 120 answers 8096 /readyz '"ready":true'

bagel="$(property bagel-api MainPID)" sophia="$(property sophia MainPID)"
check "the packages are installed over themselves" dpkg -i /debs/*.deb
check "which restarts bagel-api" within 300 is_another bagel-api "$bagel"
check "which restarts sophia" within 300 is_another sophia "$sophia"
check "and keeps her settings" grep -q /dev/video0 /etc/default/sophia
check "bagel-api stops" stops bagel-api
check "sophia stops" stops sophia

check "bagel@0 starts, on port 8095" timeout 300 systemctl start bagel@0
check "it describes a picture" describes
check "bagel@0 stops" stops bagel@0
check "bagel@door is refused once" gives_up bagel@door 64
set_up bagel --model /no/such
check "a model that is not there is refused once" gives_up bagel-api 66
set_up bagel
check "bagel-api starts again" timeout 300 systemctl start bagel-api
check "it has a place of its own" test -d /var/cache/private/bagel
check "purged while it runs" apt-get purge -qq bagel sophia
check "nothing is left" nothing_is_left
if ((failed == 0)); then
  echo "all is well"
else
  echo "$failed failed"
  journalctl -q --no-pager -u 'bagel*' -u sophia | tail -n 60
fi
