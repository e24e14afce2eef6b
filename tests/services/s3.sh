#!/usr/bin/env bash
# MinIO as a store for tests, on loopback only. Data, log and pid stay in DIR, so that a second start finds the data.
#
#   tests/services/s3.sh start DIR     prints KEY=VALUE lines for the environment of the test
#   tests/services/s3.sh kill DIR      kill -9, as a power cut would
#   tests/services/s3.sh stop DIR
#
# S3_PORT (19000) is the port, SERVICES_CACHE (~/.cache/towpath-services) keeps the binary, which `go install` builds
# from source: some minutes, once. MinIO is under the AGPL: a process of its own that tests talk to, never linked,
# never shipped.
set -euo pipefail

action=${1:?start, stop or kill}
dir=${2:?a directory}
port=${S3_PORT:-19000}
version=v0.0.0-20260212201848-7aac2a2c5b7c
cache=${SERVICES_CACHE:-$HOME/.cache/towpath-services}/minio-$version
access_key=towpath
secret_key=towpath-secret

die() {
  echo "$0: $*" >&2
  exit 1
}

alive() {
  [[ -s $dir/pid ]] && kill -0 "$(<"$dir/pid")" 2>/dev/null
}

gone() {
  for _ in $(seq 100); do
    alive || { rm -f "$dir/pid"; return 0; }
    sleep 0.1
  done
  die "process $(<"$dir/pid") does not end"
}

case $action in
start)
  alive && die "runs already, as process $(<"$dir/pid")"
  # Whoever has the port would answer in the place of what is started here.
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && die "port $port is taken"
  if [[ ! -x $cache/minio ]]; then
    mkdir -p "$cache"
    GOBIN=$cache go install -ldflags='-s -w' "github.com/minio/minio@$version" >&2
  fi
  # A directory in the data directory is a bucket.
  mkdir -p "$dir/data/test"
  # The key is for server-side encryption, which MinIO refuses without one.
  MINIO_ROOT_USER=$access_key MINIO_ROOT_PASSWORD=$secret_key MINIO_BROWSER=off MINIO_UPDATE=off MINIO_CI_CD=1 \
    MINIO_KMS_SECRET_KEY="test:$(head -c 32 /dev/zero | base64)" \
    setsid "$cache/minio" server --quiet --address "127.0.0.1:$port" "$dir/data" \
    >>"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  for _ in $(seq 300); do
    alive || { tail -n 20 "$dir/log" >&2; die "the server has ended"; }
    if curl -sf -o /dev/null "http://127.0.0.1:$port/minio/health/ready"; then
      echo "S3_TEST_ENDPOINT=http://127.0.0.1:$port"
      echo "S3_TEST_ACCESS_KEY=$access_key"
      echo "S3_TEST_SECRET_KEY=$secret_key"
      exit 0
    fi
    sleep 0.1
  done
  die "not ready after 30 s, see $dir/log"
  ;;
stop)
  alive && kill "$(<"$dir/pid")"
  gone
  ;;
kill)
  alive && kill -9 "$(<"$dir/pid")"
  gone
  ;;
*) die "start, stop or kill, not $action" ;;
esac
