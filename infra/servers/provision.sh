#!/usr/bin/env bash
# Installs the Debian servers that the tests run against. Needs root on Debian; what is there already is left alone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for script in "$here"/*.sh; do
  [ "$(basename "$script")" = provision.sh ] || bash "$script"
done
