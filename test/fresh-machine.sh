#!/usr/bin/env bash
# Proves the two commands on a fresh machine: a bare Debian 12 root with git and the Node binary, nothing else.
# As root and as an ordinary user: `npm start` until /readyz answers 200, Ctrl-C, no process left, a second start.
# As root: `npm test`. Works on the committed state. Needs root and about 4 GB; ends with a summary and code 0 or 1.
#
#   bash test/fresh-machine.sh [--no-test] [--keep] [--base FOLDER]    (FOLDER: a bare root made before by debootstrap)
#
# A mount and a process namespace hold all mounts and processes, so the kernel removes both however this ends.
set -uo pipefail

SELF="$(readlink -f "${BASH_SOURCE[0]}")"
CHECKOUT="$(dirname "$(dirname "$SELF")")"
START_LIMIT_S=300
SECOND_LIMIT_S=10
PORT=8190
RUN_TEST=yes
KEEP=no
BASE=

say() { printf '%s\n' "$*" >&2; }
die() { say "fresh-machine: $*"; exit 1; }
now() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f", to - from }'; }

# ---- outside the namespace: make the root folder -------------------------------------------------------------------

build_root() {
  local root="$1" npm_folder
  if [ -n "$BASE" ]; then
    cp -a "$BASE" "$root" || return 1
  elif ! command -v debootstrap > /dev/null; then
    apt-get install -y --no-install-recommends debootstrap > /dev/null || return 1
  fi
  [ -n "$BASE" ] || debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" > "$WORK/debootstrap.log" 2>&1 || return 1
  install -m 755 "$(readlink -f "$(command -v node)")" "$root/usr/local/bin/node"
  npm_folder="$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -a "$npm_folder" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
  copy_host_settings "$root"
  git clone --quiet --bare --no-hardlinks "$CHECKOUT" "$root/srv/uncol.git" || return 1
  chroot "$root" git config --system --add safe.directory '*'
  chroot "$root" useradd --create-home reader
  if [ -f "$HOME/.npmrc" ]; then
    cp "$HOME/.npmrc" "$root/root/.npmrc"
    install -m 600 "$HOME/.npmrc" "$root/home/reader/.npmrc"
    chroot "$root" chown reader:reader /home/reader/.npmrc
  fi
}

# Where the host finds packages, and whom it trusts: a fresh machine of the same site has these too.
copy_host_settings() {
  local root="$1" file
  rm -f "$root/etc/apt/sources.list"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources /etc/npmrc /etc/resolv.conf /etc/hosts; do
    if [ -f "$file" ]; then install -D -m 644 "$file" "$root$file"; fi
  done
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  grep -rhs 'Check-Valid-Until\|Check-Date\|Acquire::.*Proxy' /etc/apt/apt.conf /etc/apt/apt.conf.d \
    > "$root/etc/apt/apt.conf.d/90site" || true
}

# ---- inside: mounts, then the commands -----------------------------------------------------------------------------

mount_kernel_folders() {
  mount --make-rprivate / && mount -t proc proc /proc && mount -t proc proc "$ROOT/proc" &&
    mount --rbind /dev "$ROOT/dev" && mount -t sysfs -o ro sysfs "$ROOT/sys" && mount -t tmpfs tmpfs "$ROOT/tmp"
}

# as USER COMMAND: a login-like shell in the root folder with a small environment.
as() {
  local user="$1" home variable
  local -a environment=()
  shift
  home="$(chroot "$ROOT" getent passwd "$user" | cut -d: -f6)"
  for variable in NODE_EXTRA_CA_CERTS SSL_CERT_FILE http_proxy https_proxy no_proxy; do
    if [ -n "${!variable:-}" ]; then environment+=("$variable=${!variable}"); fi
  done
  chroot --userspec="$user:$user" "$ROOT" /usr/bin/env -i HOME="$home" USER="$user" TERM=xterm \
    PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin "${environment[@]}" \
    bash -c "cd && $*"
}

# Polls readiness, so that the time is that of a usable viewer and not of an open port.
wait_until_ready() {
  local deadline=$((SECONDS + START_LIMIT_S))
  while [ "$SECONDS" -lt "$deadline" ]; do
    if as root "node -e \"fetch('http://127.0.0.1:$PORT/readyz').then(a=>process.exit(a.status===200?0:1),()=>process.exit(1))\""
    then return 0; fi
    kill -0 "$1" 2> /dev/null || return 1
    sleep 0.5
  done
  return 1
}

# What belongs to us and runs in this process namespace.
left_processes() {
  local folder
  for folder in /proc/[0-9]*; do
    tr '\0' ' ' < "$folder/cmdline" 2> /dev/null | cut -c1-150 | grep -E '^[^ ]*(node|npm|Orthanc|postgres|flock|chromium)'
  done
  return 0
}

# Files that appeared outside the home folder and the temporary folder. PostgreSQL refuses to run as root, so root's
# database lies where an ordinary user can enter.
strange_files() {
  find "$ROOT" -xdev -newer "$WORK/stamp" -type f ! -path "$ROOT$1/*" ! -path "$ROOT/tmp/*" ! -path "$ROOT/var/tmp/*" \
    ! -path "$ROOT/var/lib/uncol-*" | sed "s#^$ROOT##" | head -5
}

# start_once USER LABEL LIMIT: npm start on a real terminal line, Ctrl-C once it is ready, then nothing may be left.
start_once() {
  local user="$1" label="$2" limit="$3" started code=0 seconds pid left
  local log="$WORK/start-$user-${label// /-}.log" keys="$WORK/keys"
  rm -f "$keys"
  mkfifo "$keys"
  started="$(now)"
  as "$user" "cd uncol && exec script --quiet --return --flush --command 'npm start' /dev/null" < "$keys" > "$log" 2>&1 &
  pid=$!
  exec 9> "$keys"
  if ! wait_until_ready "$pid"; then
    sed 's/\r$//; s/.*\r//' "$log" | tail -n 40 >&2
    fail "$user: $label: /readyz did not answer 200 (after $(since "$started") s)"
    printf '\003' >&9 2> /dev/null
    exec 9>&-
    kill "$pid" 2> /dev/null
    wait "$pid"
    return 1
  fi
  seconds="$(since "$started")"
  started="$(now)"
  printf '\003' >&9
  wait "$pid" || code=$?
  exec 9>&-
  left="$(left_processes)"
  note "$user: $label: ready after $seconds s; Ctrl-C: ended after $(since "$started") s with code $code"
  if [ -n "$left" ]; then fail "$user: $label: left running: $left"; fi
  awk -v took="$seconds" -v limit="$limit" 'BEGIN { exit !(took > limit) }' && fail "$user: $label: took over $limit s"
  return 0
}

prove_start() {
  local user="$1" home="$2" strange
  touch "$WORK/stamp"
  sleep 1
  as "$user" 'git clone --quiet /srv/uncol.git uncol' || { fail "$user: git clone"; return; }
  start_once "$user" 'first start' "$START_LIMIT_S" || return
  start_once "$user" 'second start' "$SECOND_LIMIT_S"
  strange="$(strange_files "$home")"
  if [ -n "$strange" ]; then fail "$user: written outside the home folder: $strange"; fi
}

prove_test() {
  local started log="$WORK/npm-test.log"
  started="$(now)"
  if as root 'cd uncol && CI=true npm test' < /dev/null > "$log" 2>&1; then
    note "root: npm test: passed in $(since "$started") s: $(grep -E '^# (tests|pass|fail|skipped) ' "$log" | tr -d '#' | tr '\n' ',')"
  else
    tail -n 60 "$log" >&2
    fail "root: npm test (after $(since "$started") s)"
  fi
}

note() { say "  $*"; printf '%s\n' "  ok    $*" >> "$WORK/summary"; }
fail() { say "  FAILED $*"; printf '%s\n' "  FAILED $*" >> "$WORK/summary"; }

inside() {
  mount_kernel_folders || { fail 'mounting /proc and /dev'; return; }
  prove_start root /root
  prove_start reader /home/reader
  if [ "$RUN_TEST" = yes ]; then prove_test; fi
}

# ---- main ----------------------------------------------------------------------------------------------------------

if [ "${1:-}" = --inside ]; then
  WORK="$2" ROOT="$2/root" RUN_TEST="$3"
  inside
  exit 0
fi
while [ $# -gt 0 ]; do
  case "$1" in
    --no-test) RUN_TEST=no ;;
    --keep) KEEP=yes ;;
    --base) BASE="${2:?}"; shift ;;
    *) say 'Usage: bash test/fresh-machine.sh [--no-test] [--keep] [--base FOLDER]'; exit 2 ;;
  esac
  shift
done
[ "$(id -u)" = 0 ] || die 'needs root'
unshare --mount --pid --fork true 2> /dev/null || die 'needs the right to make namespaces (unshare)'
WORK="$(mktemp -d /var/tmp/uncol-fresh.XXXXXX)"
clean_up() {
  # Nothing is mounted out here; --one-file-system guards all the same.
  if [ "$KEEP" = yes ]; then say "Kept: $WORK"; else rm -rf --one-file-system "$WORK"; fi
}
trap clean_up EXIT
STARTED="$(now)"
say 'Building a bare Debian 12 root …'
build_root "$WORK/root" || { tail -n 20 "$WORK/debootstrap.log" >&2; die 'no root could be built'; }
say "Built in $(since "$STARTED") s."
unshare --mount --pid --fork --kill-child bash "$SELF" --inside "$WORK" "$RUN_TEST"
say ''
say "Fresh machine, commit $(git -C "$CHECKOUT" rev-parse --short HEAD), $(nproc) cores:"
cat "$WORK/summary" >&2 || die 'nothing was proven'
! grep -q FAILED "$WORK/summary"
