# shellcheck shell=bash
# shellcheck disable=SC2034  # what is set here is used by the scripts that source this
# What the scripts share. Sourced, never run; the caller has set -euo pipefail and stands anywhere.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1

say() { printf '%s\n' "$*" >&2; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Compilers at once: one per core, and no more than one per 2 GiB of memory.
jobs_default() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemTotal:/ { print int(($2 + 1048576) / 2097152) }' /proc/meminfo)
  if ((memory < 1)); then memory=1; fi
  printf '%s\n' "$((cores < memory ? cores : memory))"
}
jobs=${JOBS:-$(jobs_default)}

# Started through sudo in a user's checkout: once the packages are there, goes on as that user, so
# that build/ belongs to them. Returns where there is nobody to hand over to.
#   hand_over_to_sudo_caller SCRIPT ARGS...
hand_over_to_sudo_caller() {
  if ((EUID != 0)) || [[ -z ${SUDO_UID:-} || ${SUDO_UID:-} == 0 || -z ${SUDO_GID:-} ]]; then
    return 0
  fi
  if [[ $(stat -c %u "$root") != "$SUDO_UID" ]]; then return 0; fi
  local home
  home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
  exec setpriv --reuid "$SUDO_UID" --regid "$SUDO_GID" --init-groups \
    env HOME="${home:-$root/build}" "$@"
}
