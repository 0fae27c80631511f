#!/bin/sh
# Puts QEMU for x86 guests on a Debian machine, for the qemu adapter and its tests. Does nothing where it is there already.
# Where it cannot (not root, not Debian) it says what to install and fails: a missing server is never passed over in silence.
set -eu

if command -v qemu-system-x86_64 >/dev/null && command -v qemu-img >/dev/null; then
  qemu-system-x86_64 --version | head -n 1
  exit 0
fi

if [ "$(id -u)" -ne 0 ] || [ ! -e /etc/debian_version ]; then
  echo 'qemu-system-x86_64 and qemu-img are missing; install them with your system (Debian: qemu-system-x86 and qemu-utils).' >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends qemu-system-x86 qemu-utils >/dev/null
qemu-system-x86_64 --version | head -n 1
