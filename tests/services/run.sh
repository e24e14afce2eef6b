#!/usr/bin/env bash
# The tests that want real servers, one server after the other: starts it, runs what it is for, stops it. Says at the end
# what passed, what failed, and what could not run because the server cannot be had here.
#
#   tests/services/run.sh [kafka|s3|elasticsearch|opensearch|rsyslog|syslog-ng]...
#
# Servers and their data live in a directory of their own, which is removed when all is well. Nothing listens anywhere but on
# loopback. What each script needs stands at its head.
set -uo pipefail
cd "$(dirname "$0")/../.."

here=tests/services
work=$(mktemp -d -t towpath-services.XXXXXX)
passed=() failed=() missing=()

# test NAME COMMAND...: runs the command with the server's variables, which are in $work/NAME.env.
test_with() {
  local name=$1
  shift
  echo "== $name: $*"
  if (set -a && . "$work/$name.env" && set +a && "$@"); then passed+=("$name"); else failed+=("$name"); fi
}

# start NAME SCRIPT...: starts the server; what it prints goes to $work/NAME.out.
start() {
  local name=$1
  shift
  echo "== $name: starting"
  : >"$work/$name.env"
  "$@" >"$work/$name.out" 2>"$work/$name.log" && return
  tail -3 "$work/$name.log" >&2
  missing+=("$name: $(tail -1 "$work/$name.log")")
  return 1
}

ignored() { cargo test --locked -p "$1" --test "$2" -- --ignored --test-threads 1 "${@:3}"; }

kafka() {
  start kafka "$here/kafka.sh" start "$work/kafka" || return
  grep '=' "$work/kafka.out" >"$work/kafka.env"
  test_with kafka ignored sink-kafka all
  "$here/kafka.sh" stop "$work/kafka"
}

s3() {
  start s3 "$here/s3.sh" start "$work/s3" || return
  grep '=' "$work/s3.out" >"$work/s3.env"
  echo "S3_TEST_RESTART='$here/s3.sh kill $work/s3; sleep 3; $here/s3.sh start $work/s3'" >>"$work/s3.env"
  test_with s3 ignored sink-s3 all real::
  "$here/s3.sh" stop "$work/s3"
}

search() {
  local variable
  variable=TOWPATH_TEST_$(tr '[:lower:]' '[:upper:]' <<<"$1")
  start "$1" "$here/search.sh" start "$1" "$work/$1" || return
  echo "$variable=$(<"$work/$1.out")" >"$work/$1.env"
  test_with "$1" ignored sink-elasticsearch all
  "$here/search.sh" stop "$1" "$work/$1"
}
elasticsearch() { search elasticsearch; }
opensearch() { search opensearch; }

syslog() {
  start "$1" "$here/syslog.sh" start "$1" "$work/$1" || return
  echo "$2=$work/$1" >"$work/$1.env"
  test_with "$1" ignored sink-syslog services
  "$here/syslog.sh" stop "$1" "$work/$1"
}
rsyslog() { syslog rsyslog TOWPATH_RSYSLOG; }
syslog-ng() { syslog syslog-ng TOWPATH_SYSLOG_NG; }

servers=("$@")
[ $# -gt 0 ] || servers=(kafka s3 elasticsearch opensearch rsyslog syslog-ng)
for server in "${servers[@]}"; do
  case $server in
    kafka | s3 | elasticsearch | opensearch | rsyslog | syslog-ng) "$server" ;;
    *) echo "run.sh: no such server: $server" >&2; exit 2 ;;
  esac
done

echo
echo "passed:        ${passed[*]:-none}"
echo "failed:        ${failed[*]:-none}"
echo "could not run: ${#missing[@]}"
[ ${#missing[@]} -eq 0 ] || printf '  %s\n' "${missing[@]}"
# There is no Splunk, no Amazon and no Kafka of several brokers to start here.
echo "never run here: splunk (no server to be had), AWS itself"
if [ ${#failed[@]} -gt 0 ]; then
  echo "logs and data are kept in $work"
  exit 1
fi
rm -rf "$work"
