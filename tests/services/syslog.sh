#!/usr/bin/env bash
# Real syslog receivers for the tests that want them, on loopback only, without root:
#
#   syslog.sh start rsyslog DIR      syslog.sh start syslog-ng DIR
#   syslog.sh stop rsyslog DIR       syslog.sh stop syslog-ng DIR
#
# `start` returns when the receiver accepts connections. What it receives becomes lines of JSON in DIR/received.jsonl;
# DIR/pid, DIR/ca.pem, DIR/client.crt and DIR/client.key are what a test needs besides. A second start on the same DIR goes
# on where the first one stopped.
#
#   ports from SYSLOG_PORT (rsyslog 26514, syslog-ng 27514) on:
#     +0 UDP and TCP   +1 TLS   +2 TLS with client certificates   +3 RELP (rsyslog), TCP in lines (syslog-ng)
#     +4 RELP over TLS with client certificates
#     +5 as +2, with a certificate of another authority (strange.pem)   +6 as +2, for clients of that authority
#     +7 as +4, with a certificate of another authority   +8 as +4, for a client of another name (rsyslog)
#   SYSLOG_QUEUE=direct: rsyslog answers RELP only when the event is in the file. Without it when it is in its queue.
#
# Debian's packages are unpacked into SERVICES_CACHE (~/.cache/towpath-services), not installed: only one syslog daemon can
# be. Needs apt-get with an up-to-date list of packages, dpkg and openssl.
set -euo pipefail

verb=${1:-} server=${2:-} dir=${3:-}
die() { echo "syslog.sh: $*" >&2; exit 1; }
[ -n "$dir" ] || die "start|stop rsyslog|syslog-ng DIR"
case $server in
  rsyslog) port=${SYSLOG_PORT:-26514} packages="rsyslog rsyslog-openssl rsyslog-relp libestr0 libfastjson4 liblognorm5 librelp0" ;;
  syslog-ng) port=${SYSLOG_PORT:-27514} packages="syslog-ng-core libivykis0 libnet1 libwrap0 libpcre3 libjson-c5 libglib2.0-0 libcap2" ;;
  *) die "no such server: $server" ;;
esac
cache=${SERVICES_CACHE:-$HOME/.cache/towpath-services}/$server

is_running() { [ -s "$dir/pid" ] && kill -0 "$(<"$dir/pid")" 2>/dev/null; }
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

install() {
  [ -e "$cache/complete" ] && return
  local downloads
  downloads=$(mktemp -d)
  # shellcheck disable=SC2086
  (cd "$downloads" && apt-get -qq -o APT::Sandbox::User=root download $packages) >&2 || die "packages cannot be had"
  mkdir -p "$cache"
  for package in "$downloads"/*.deb; do dpkg -x "$package" "$cache"; done
  rm -r "$downloads"
  touch "$cache/complete"
}

# An authority with certificates for the server and for the client, and another one with one for a server.
certify() {
  [ -e "$dir/client.crt" ] && return
  local authority name
  for authority in strange ca; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 7 -subj "/CN=Towpath tests, $authority" \
      -keyout "$dir/$authority.key" -out "$dir/$authority.pem"
  done
  for name in stranger localhost client; do
    authority=ca
    [ "$name" = stranger ] && authority=strange
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$dir/$name.key" -out "$dir/$name.csr"
    openssl x509 -req -in "$dir/$name.csr" -CA "$dir/$authority.pem" -CAkey "$dir/$authority.key" -CAcreateserial -days 7 \
      -extfile <(echo "subjectAltName=DNS:$name,IP:127.0.0.1") -out "$dir/$name.crt"
  done
}

configure_rsyslog() {
  local queue=""
  [ "${SYSLOG_QUEUE:-}" = direct ] && queue='queue.type="Direct"'
  cat <<END
global(workDirectory="$dir" maxMessageSize="2m" net.enableDNS="off"
  parser.escapeControlCharactersOnReceive="off" parser.dropTrailingLFOnReception="off"
  defaultNetstreamDriverCAFile="$dir/ca.pem"
  defaultNetstreamDriverCertFile="$dir/localhost.crt" defaultNetstreamDriverKeyFile="$dir/localhost.key")
module(load="imudp") module(load="imtcp") module(load="imrelp")
main_queue($queue)
template(name="event" type="list" option.jsonf="on") {
  property(outname="input" name="inputname" format="jsonf")
  property(outname="pri" name="pri" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
}
ruleset(name="keep" $queue) {
  action(type="omfile" file="$dir/received.jsonl" template="event" asyncWriting="off" flushOnTXEnd="on")
}
input(type="imudp" name="udp" address="127.0.0.1" port="$port" ruleset="keep")
input(type="imtcp" name="tcp" address="127.0.0.1" port="$port" ruleset="keep" maxFrameSize="2097152")
input(type="imtcp" name="tls" address="127.0.0.1" port="$((port + 1))" ruleset="keep" maxFrameSize="2097152"
  streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" name="mtls" address="127.0.0.1" port="$((port + 2))" ruleset="keep" maxFrameSize="2097152"
  streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["client"])
input(type="imrelp" name="relp" address="127.0.0.1" port="$((port + 3))" ruleset="keep" maxDataSize="2m")
input(type="imrelp" name="relp-tls" address="127.0.0.1" port="$((port + 4))" ruleset="keep" maxDataSize="2m" tls="on"
  tls.caCert="$dir/ca.pem" tls.myCert="$dir/localhost.crt" tls.myPrivKey="$dir/localhost.key" tls.authMode="name"
  tls.permittedPeer=["client"])
input(type="imtcp" name="strange" address="127.0.0.1" port="$((port + 5))" ruleset="keep" maxFrameSize="2097152"
  streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["client"]
  streamDriver.certFile="$dir/stranger.crt" streamDriver.keyFile="$dir/stranger.key")
input(type="imtcp" name="strangers" address="127.0.0.1" port="$((port + 6))" ruleset="keep" maxFrameSize="2097152"
  streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["client"]
  streamDriver.caFile="$dir/strange.pem")
input(type="imrelp" name="relp-strange" address="127.0.0.1" port="$((port + 7))" ruleset="keep" maxDataSize="2m" tls="on"
  tls.caCert="$dir/ca.pem" tls.myCert="$dir/stranger.crt" tls.myPrivKey="$dir/stranger.key" tls.authMode="certvalid")
input(type="imrelp" name="relp-strangers" address="127.0.0.1" port="$((port + 8))" ruleset="keep" maxDataSize="2m" tls="on"
  tls.caCert="$dir/ca.pem" tls.myCert="$dir/localhost.crt" tls.myPrivKey="$dir/localhost.key" tls.authMode="name"
  tls.permittedPeer=["stranger"])
syslog.* action(type="omfile" file="$dir/server.log")
END
}

configure_syslog_ng() {
  local certificate="key-file(\"$dir/localhost.key\") cert-file(\"$dir/localhost.crt\") ca-file(\"$dir/ca.pem\")"
  local many='max-connections(50) log-iw-size(5000)' here='ip("127.0.0.1")'
  cat <<END
@version: 3.38
options { keep-hostname(yes); use-dns(no); log-msg-size(2097152); stats-freq(0); };
source in_udp { syslog($here port($port) transport("udp")); };
source in_tcp { syslog($here port($port) transport("tcp") $many); };
source in_tls { syslog($here port($((port + 1))) transport("tls") $many tls($certificate peer-verify(optional-untrusted))); };
source in_mtls { syslog($here port($((port + 2))) transport("tls") $many tls($certificate peer-verify(required-trusted))); };
source in_strange { syslog($here port($((port + 5))) transport("tls") $many tls(key-file("$dir/stranger.key")
  cert-file("$dir/stranger.crt") ca-file("$dir/ca.pem") peer-verify(required-trusted))); };
source in_strangers { syslog($here port($((port + 6))) transport("tls") $many tls(key-file("$dir/localhost.key")
  cert-file("$dir/localhost.crt") ca-file("$dir/strange.pem") peer-verify(required-trusted))); };
source in_lines { network($here port($((port + 3))) transport("tcp") $many flags(syslog-protocol)); };
source in_itself { internal(); };
destination to_events { file("$dir/received.jsonl" template("\$(format-json --scope none input=\"\${SOURCE}\" pri=\"\${PRI}\" time=\"\${S_ISODATE}\" host=\"\${HOST}\" app=\"\${PROGRAM}\" msgid=\"\${MSGID}\" data=\"\${SDATA}\" msg=\"\${MESSAGE}\")\n") frac-digits(6)); };
destination to_log { file("$dir/server.log"); };
log { source(in_udp); source(in_tcp); source(in_tls); source(in_mtls); source(in_strange); source(in_strangers); source(in_lines); destination(to_events); };
log { source(in_itself); destination(to_log); };
END
}

start() {
  is_running && die "runs already"
  listens "$port" && die "port $port is taken"
  install
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  certify >"$dir/openssl.log" 2>&1 || die "no certificates, see $dir/openssl.log"
  local libraries=$cache/usr/lib/$(uname -m)-linux-gnu command
  if [ "$server" = rsyslog ]; then
    configure_rsyslog >"$dir/server.conf"
    command=("$cache/usr/sbin/rsyslogd" -n -M "$libraries/rsyslog" -f "$dir/server.conf" -i "$dir/rsyslogd.pid")
    # A killed one leaves it behind.
    rm -f "$dir/rsyslogd.pid"
  else
    configure_syslog_ng >"$dir/server.conf"
    command=("$cache/usr/sbin/syslog-ng" -F --no-caps "--module-path=$cache/usr/lib/syslog-ng/3.38" -f "$dir/server.conf"
      -R "$dir/persist" -c "$dir/control" -p "$dir/syslog-ng.pid")
    libraries=$libraries:$cache/lib/$(uname -m)-linux-gnu:$cache/usr/lib/syslog-ng
  fi
  # RFC 3164 has no zone, and we send UTC.
  TZ=UTC LD_LIBRARY_PATH=$libraries setsid nohup "${command[@]}" </dev/null >>"$dir/output.log" 2>&1 &
  echo $! >"$dir/pid"
  for _ in $(seq 100); do
    is_running || die "it ended at once, see $dir/output.log and $dir/server.log"
    if listens "$port" && listens $((port + 3)); then
      return
    fi
    sleep 0.1
  done
  stop
  die "it does not listen after 10 s, see $dir/output.log and $dir/server.log"
}

stop() {
  if is_running; then
    kill "$(<"$dir/pid")"
    for _ in $(seq 100); do is_running || break; sleep 0.1; done
    if is_running; then kill -9 "$(<"$dir/pid")"; fi
  fi
  rm -f "$dir/pid"
}

case $verb in
  start | stop) "$verb" ;;
  *) die "start or stop" ;;
esac
