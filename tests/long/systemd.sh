#!/usr/bin/env bash
# The services under a systemd that runs: a new Debian with the packages is booted in a virtual
# machine and looked at from inside (systemd/inside.sh). Needs root, Debian's archive for some 900 MB
# of packages, 3 GB of memory and 5 GB of disk. The processor is emulated, so that the machine is the
# same everywhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/packages.sh

install_packages "${INSTALL_PACKAGES[@]}" "${MACHINE_PACKAGES[@]}"
folder="$(mktemp -d)"
root="$folder/root"
trap 'rm -rf --one-file-system "$folder"' EXIT

tools/make_debs.sh build/release "$folder/debs"
# The packages are installed as in any image that is made before it runs: services are known, and
# started at boot only where they were enabled.
new_debian "$root" --include=linux-image-amd64,systemd-sysv,libnss-systemd,dbus,curl \
  --customize-hook="copy-in $folder/debs tests/long/systemd/inside.sh tests/packaging/traces.sh /" \
  --customize-hook='chroot "$1" sh -ec "apt-get update -qq; apt-get install -qq --no-install-recommends /debs/*.deb >/dev/null"' \
  --customize-hook='systemctl --root "$1" enable bagel-api'
cp tests/long/systemd/inside.service "$root/etc/systemd/system/"
ln -s ../inside.service "$root/etc/systemd/system/multi-user.target.wants/"
# Not the first boot of an image, which would enable every service.
systemd-machine-id-setup --root "$root"
mke2fs -q -t ext4 -d "$root" "$folder/disk" 4G

timeout 60m qemu-system-x86_64 -machine q35,accel=tcg -cpu max -smp 2 -m 3G -no-reboot \
  -display none -serial stdio -monitor none -nic none \
  -drive "file=$folder/disk,format=raw,if=virtio,cache=unsafe" \
  -kernel "$root"/boot/vmlinuz-* -initrd "$root"/boot/initrd.img-* \
  -append 'root=/dev/vda rw console=ttyS0 quiet systemd.show_status=no systemd.mask=serial-getty@ttyS0.service' \
  </dev/null | tee "$folder/log"
grep -q "^all is well" "$folder/log"
