#!/usr/bin/env bash
# A Kafka broker of one node on loopback, for the tests that want a real one.
#
#   tests/services/kafka.sh start DIR          until it answers; prints the variables that the tests read, one a line
#   tests/services/kafka.sh stop DIR           ends it; DIR keeps its data, so that a later start goes on with them
#   tests/services/kafka.sh kill DIR           ends it as a crash does
#   tests/services/kafka.sh hang|resume DIR    stops it as it stands, and lets it go on
#   tests/services/kafka.sh password DIR NEW   gives the user towpath another password for SCRAM-SHA-512
#
# KAFKA_ADVERTISED (127.0.0.1:PORT) is where clients are told to go: the address of a proxy, for a test that has one.
# PORT (19092) is plain, PORT+1 is TLS with SASL (towpath / towpath-secret), PORT+2 is the controller's. PORT+3 is TLS with
# client certificates of DIR/ca.pem: DIR/client.crt is one, DIR/stranger.crt is not. PORT+4 takes tokens (OAUTHBEARER) which
# nobody needs to have signed, and wants them anew every three seconds. PORT+5 takes the password without TLS, for a proxy that
# has TLS of its own. The broker's own jars come from Maven Central, once, into SERVICES_CACHE (~/.cache/towpath-services). Needs Java 17, Maven, openssl.
set -euo pipefail

version=4.3.0
action=${1:-}
[ $# -eq 2 ] || [ "$action $#" = 'password 3' ] || {
  echo "usage: kafka.sh start|stop|kill|hang|resume DIR, kafka.sh password DIR NEW" >&2
  exit 2
}
mkdir -p "$2"
dir=$(cd "$2" && pwd)
script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
port=${PORT:-19092}
jars=${SERVICES_CACHE:-$HOME/.cache/towpath-services}/kafka-$version

die() { echo "kafka.sh: $*" >&2; exit 1; }
java=(java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=info -cp "$jars/*")
alive() { [ -s "$dir/pid" ] && kill -0 "$(<"$dir/pid")" 2>/dev/null; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

fetch() {
  [ -e "$jars/complete" ] && return
  mkdir -p "$jars"
  # kafka-tools brings the program that formats the storage; without slf4j-simple nothing is logged.
  cat >"$jars/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>towpath.test</groupId><artifactId>broker</artifactId><version>0</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
  mvn --quiet --batch-mode --file "$jars/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$jars" >&2 || die "the jars cannot be fetched"
  touch "$jars/complete"
}

certificates() {
  [ -e "$dir/server.pem" ] && return
  (
    cd "$dir"
    openssl req -x509 -newkey rsa:2048 -nodes -days 7 -subj /CN=authority -keyout ca.key -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 7 -out server.crt \
      -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1)
    cat server.key server.crt >server.pem
    openssl req -newkey rsa:2048 -nodes -subj /CN=towpath -keyout client.key -out client.csr
    openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 7 -out client.crt
    openssl req -x509 -newkey rsa:2048 -nodes -days 7 -subj /CN=stranger -keyout stranger.key -out stranger.crt
  ) >"$dir/openssl.log" 2>&1 || die "no certificates: see $dir/openssl.log"
}

configure() {
  cat >"$dir/broker.properties" <<CONF
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:$((port + 2))
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:$port,SASL_SSL://127.0.0.1:$((port + 1)),CONTROLLER://127.0.0.1:$((port + 2)),MUTUAL://127.0.0.1:$((port + 3)),TOKENS://127.0.0.1:$((port + 4)),PASSWORDS://127.0.0.1:$((port + 5))
advertised.listeners=PLAINTEXT://${KAFKA_ADVERTISED:-127.0.0.1:$port},SASL_SSL://localhost:$((port + 1)),MUTUAL://localhost:$((port + 3)),TOKENS://127.0.0.1:$((port + 4)),PASSWORDS://127.0.0.1:$((port + 5))
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT,MUTUAL:SSL,TOKENS:SASL_PLAINTEXT,PASSWORDS:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_towpath="towpath-secret";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.ssl.keystore.type=PEM
listener.name.sasl_ssl.ssl.keystore.location=$dir/server.pem
listener.name.mutual.ssl.keystore.type=PEM
listener.name.mutual.ssl.keystore.location=$dir/server.pem
listener.name.mutual.ssl.truststore.type=PEM
listener.name.mutual.ssl.truststore.location=$dir/ca.pem
listener.name.mutual.ssl.client.auth=required
listener.name.tokens.sasl.enabled.mechanisms=OAUTHBEARER
listener.name.tokens.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.tokens.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler
listener.name.tokens.oauthbearer.connections.max.reauth.ms=3000
listener.name.passwords.sasl.enabled.mechanisms=PLAIN
listener.name.passwords.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_towpath="towpath-secret";
log.dirs=$dir/data
num.partitions=3
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# A start after kill -9 waits until the session of the killed one is over.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
CONF
}

start() {
  alive && die "runs already, as process $(<"$dir/pid")"
  local at
  for at in "$port" $((port + 1)) $((port + 2)) $((port + 3)) $((port + 4)) $((port + 5)); do
    answers "$at" && die "port $at is taken"
  done
  fetch
  certificates
  configure
  if [ ! -e "$dir/data/meta.properties" ]; then
    # The id is any UUID in base64; one that begins with a dash would be read as an option.
    "${java[@]}" kafka.tools.StorageTool format --cluster-id dG93cGF0aC10ZXN0czAwMA --config "$dir/broker.properties" \
      --add-scram 'SCRAM-SHA-256=[name=towpath,password=towpath-secret]' \
      --add-scram 'SCRAM-SHA-512=[name=towpath,password=towpath-secret]' >"$dir/format.log" 2>&1 \
      || die "the storage cannot be formatted: see $dir/format.log"
  fi
  : >"$dir/broker.log"
  setsid nohup "${java[@]}" kafka.Kafka "$dir/broker.properties" >"$dir/broker.log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  local tenths
  for ((tenths = 0; tenths < 1200; tenths++)); do
    alive || die "the broker has ended: see $dir/broker.log"
    if grep -q 'Kafka Server started' "$dir/broker.log" && answers "$port"; then
      echo "TOWPATH_KAFKA_BROKERS=127.0.0.1:$port"
      echo "TOWPATH_KAFKA_TLS_BROKERS=localhost:$((port + 1))"
      echo "TOWPATH_KAFKA_MUTUAL_BROKERS=localhost:$((port + 3))"
      echo "TOWPATH_KAFKA_TOKEN_BROKERS=127.0.0.1:$((port + 4))"
      echo "TOWPATH_KAFKA_PASSWORD_BROKERS=127.0.0.1:$((port + 5))"
      echo "TOWPATH_KAFKA_DIR=$dir"
      echo "TOWPATH_KAFKA_SCRIPT=$script"
      return
    fi
    sleep 0.1
  done
  stop
  die "the broker does not answer: see $dir/broker.log"
}

stop() {
  if alive; then
    local pid tenths
    pid=$(<"$dir/pid")
    kill "$pid"
    # One that hangs does not hear it.
    kill -CONT "$pid"
    for ((tenths = 0; tenths < 150; tenths++)); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -0 "$pid" 2>/dev/null && kill -9 "$pid"
  fi
  rm -f "$dir/pid"
}

crash() {
  alive || die "does not run"
  kill -9 "$(<"$dir/pid")"
  while alive; do sleep 0.1; done
}

password() {
  "${java[@]}" kafka.admin.ConfigCommand --bootstrap-server "127.0.0.1:$port" --alter --entity-type users \
    --entity-name towpath --add-config "SCRAM-SHA-512=[password=$1]" >"$dir/password.log" 2>&1 \
    || die "the password cannot be changed: see $dir/password.log"
}

case $action in
  start | stop) "$action" ;;
  kill) crash ;;
  hang) kill -STOP "$(<"$dir/pid")" ;;
  resume) kill -CONT "$(<"$dir/pid")" ;;
  password) password "$3" ;;
  *) die "no such action: $action" ;;
esac
