#!/usr/bin/env bash
# The tests that want real servers, one server after the other: starts it, runs what it is for, stops it. First the sink's own
# tests, with the matrix of conformance that every sink passes, and our own server of the tests against the real one; then a storm: the real process delivers TOWPATH_STORM_EVENTS (100000) records while the server is busy, loses answers,
# and is killed and started again (`tests/e2e/storm`). Says at the end what passed, what failed, how the matrices and the storms
# went, which case of a matrix cannot happen, and what could not run because the server cannot be had here.
#
#   tests/services/run.sh [splunk|kafka|s3|elasticsearch|opensearch|rsyslog|syslog-ng]...
#
# Servers and their data live in a directory of their own, which is removed when all is well. Nothing listens anywhere but on
# loopback. What each script needs stands at its head; `splunk` is the receiver of our own tests, in the test's process.
set -uo pipefail
cd "$(dirname "$0")/../.."

here=$PWD/tests/services
work=$(mktemp -d -t towpath-services.XXXXXX)
export TOWPATH_STORM_EVENTS=${TOWPATH_STORM_EVENTS:-100000}
passed=() failed=() missing=() matrices=() storms=()

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

ignored() { cargo test --locked -p "$1" --test "$2" -- --ignored --test-threads 1 --nocapture "${@:3}"; }

# matrix NAME COMMAND...: the same as `test_with`, and keeps what it says of each matrix of conformance.
matrix() {
  test_with "$@" >"$work/$1.said" 2>&1
  cat "$work/$1.said"
  local line found=0
  while read -r line; do
    matrices+=("$line")
    found=1
  done < <(grep -o '^.*matrix [^:]*: [0-9]* passed.*' "$work/$1.said" | sed 's/^.*matrix /matrix /')
  [ "$found" = 1 ] || matrices+=("matrix $1: no report")
}

# killable NAME ADDRESS DIR COMMAND...: a storm may kill the server that listens there, whose process id is in DIR, and start it
# again with the command.
killable() {
  local name=$1 address=$2 dir=$3
  shift 3
  printf '%s=%q\n' TOWPATH_STORM_ADDRESS "$address" TOWPATH_STORM_PID "$dir/pid" TOWPATH_STORM_START "$* >/dev/null" \
    >>"$work/$name.env"
}

# storm NAME TEST: the test with the variables of NAME.
storm() {
  test_with "$1" cargo test --locked -p e2e --test e2e -- --include-ignored --exact "storm::$2" >"$work/$1.said" 2>&1
  cat "$work/$1.said"
  storms+=("$(grep -o 'storm [a-z0-9-]*: [0-9]* records.*' "$work/$1.said" || echo "$1: no report")")
}

splunk() {
  : >"$work/splunk-storm.env"
  storm splunk-storm splunk::splunk_that_is_busy_loses_answers_and_dies_gets_everything
}

kafka() {
  start kafka "$here/kafka.sh" start "$work/kafka" || return
  grep '=' "$work/kafka.out" >"$work/kafka.env"
  matrix kafka ignored sink-kafka all
  "$here/kafka.sh" stop "$work/kafka"

  local port=${PORT:-19092}
  local proxy=127.0.0.1:$((port + 7)) dir=$work/kafka-storm
  start kafka-storm env KAFKA_ADVERTISED="$proxy" "$here/kafka.sh" start "$dir" || return
  killable kafka-storm "127.0.0.1:$port" "$dir" env KAFKA_ADVERTISED="$proxy" "$here/kafka.sh" start "$dir"
  echo "TOWPATH_STORM_LISTEN=$proxy" >>"$work/kafka-storm.env"
  storm kafka-storm kafka::a_broker_that_is_busy_loses_answers_and_dies_gets_everything
  "$here/kafka.sh" stop "$dir"
}

s3() {
  start s3 "$here/s3.sh" start "$work/s3" || return
  grep '=' "$work/s3.out" >"$work/s3.env"
  echo "S3_TEST_RESTART='$here/s3.sh kill $work/s3; sleep 3; $here/s3.sh start $work/s3'" >>"$work/s3.env"
  # That test is the process that others start.
  matrix s3 ignored sink-s3 all --skip chain::writes_with_what_the_environment_has

  cp "$work/s3.env" "$work/s3-storm.env"
  killable s3-storm "127.0.0.1:${S3_PORT:-19000}" "$work/s3" "$here/s3.sh" start "$work/s3"
  storm s3-storm s3::a_store_that_is_busy_loses_answers_and_dies_gets_everything_once
  "$here/s3.sh" stop "$work/s3"
}

search() {
  local variable url
  variable=TOWPATH_TEST_$(tr '[:lower:]' '[:upper:]' <<<"$1")
  start "$1" "$here/search.sh" start "$1" "$work/$1" || return
  url=$(<"$work/$1.out")
  echo "$variable=$url" >"$work/$1.env"
  matrix "$1" ignored sink-elasticsearch all

  echo "TOWPATH_STORM_FLAVOR=$1" >"$work/$1-storm.env"
  killable "$1-storm" "${url#http://}" "$work/$1" "$here/search.sh" start "$1" "$work/$1"
  storm "$1-storm" search::a_node_that_is_busy_loses_answers_and_dies_gets_everything_once
  "$here/search.sh" stop "$1" "$work/$1"
}
elasticsearch() { search elasticsearch; }
opensearch() { search opensearch; }

# syslog NAME VARIABLE PORT-OF-THE-STORM TEST ANSWERS: the last is a test of our own receiver against it, or nothing.
syslog() {
  start "$1" "$here/syslog.sh" start "$1" "$work/$1" || return
  echo "$2=$work/$1" >"$work/$1.env"
  test_with "$1" ignored sink-syslog services
  "$here/syslog.sh" stop "$1" "$work/$1"

  # rsyslog's answer means "written" only without a queue: what the matrix looks for is in the file when it was answered, and
  # with its queue a SIGKILL loses what it has answered.
  local direct=(env SYSLOG_QUEUE=direct "$here/syslog.sh" start "$1")
  start "$1-matrix" "${direct[@]}" "$work/$1-matrix" || return
  echo "$2=$work/$1-matrix" >"$work/$1-matrix.env"
  matrix "$1-matrix" ignored sink-syslog all "conforms_to_${1//-/_}" ${5:+"$5"}
  "$here/syslog.sh" stop "$1" "$work/$1-matrix"

  # A file of its own, in which nothing stands but what the storm has sent.
  local again=("${direct[@]}" "$work/$1-storm")
  start "$1-storm" "${again[@]}" || return
  killable "$1-storm" "127.0.0.1:$3" "$work/$1-storm" "${again[@]}"
  storm "$1-storm" "syslog::$4"
  "$here/syslog.sh" stop "$1" "$work/$1-storm"
}
rsyslog() {
  syslog rsyslog TOWPATH_RSYSLOG $((${SYSLOG_PORT:-26514} + 3)) \
    rsyslog_that_hangs_loses_answers_and_dies_gets_everything_over_relp our_receiver_answers_as_rsyslog_does
}
syslog-ng() {
  syslog syslog-ng TOWPATH_SYSLOG_NG "${SYSLOG_PORT:-27514}" syslog_ng_that_hangs_and_dies_in_a_lull_gets_everything_over_tcp
}

servers=("$@")
[ $# -gt 0 ] || servers=(splunk kafka s3 elasticsearch opensearch rsyslog syslog-ng)
for server in "${servers[@]}"; do
  case $server in
    splunk | kafka | s3 | elasticsearch | opensearch | rsyslog | syslog-ng) "$server" ;;
    *) echo "run.sh: no such server: $server" >&2; exit 2 ;;
  esac
done

echo
[ ${#matrices[@]} -eq 0 ] || printf '%s\n' "${matrices[@]}" | sed 's/; /\n  /g'
echo
[ ${#storms[@]} -eq 0 ] || printf '%s\n' "${storms[@]}"
echo "how they died: SIGKILL in the storm; rsyslog with a direct queue, because with its own it loses what it has answered;"
echo "  syslog-ng in a lull, because over TCP it loses what it has not read; splunk is our own receiver, which forgets what it"
echo "  has not indexed"
echo
echo "passed:        ${passed[*]:-none}"
echo "failed:        ${failed[*]:-none}"
echo "could not run: ${#missing[@]}"
[ ${#missing[@]} -eq 0 ] || printf '  %s\n' "${missing[@]}"
# There is no Splunk, no Amazon and no Kafka of several brokers to start here.
echo "never run here: splunk (no server to be had, so its matrix is against our own receiver alone), AWS itself, a Kafka"
echo "  cluster of several brokers, the security plugins of Elasticsearch and OpenSearch"
if [ ${#failed[@]} -gt 0 ]; then
  echo "logs and data are kept in $work"
  exit 1
fi
rm -rf "$work"
