#!/usr/bin/env bash
# Real Elasticsearch and OpenSearch nodes for the tests that want them, on loopback only, made of the jars that both projects
# publish to Maven Central: the server itself with its HTTP module. There is no security plugin, and no ingest processor
# beyond the core.
#
#   search.sh start elasticsearch DIR     search.sh start opensearch DIR     prints the node's URL when it answers
#   search.sh stop elasticsearch DIR      search.sh stop opensearch DIR
#
# A second start on the same DIR goes on with its indexes. The port is SEARCH_PORT (elasticsearch 29200, opensearch 29300),
# the port of the node's transport 50 above. Jars are kept in SERVICES_CACHE (~/.cache/towpath-services).
# Needs a JDK of version 17 or later, Maven and curl.
set -euo pipefail

verb=${1:-} server=${2:-} dir=${3:-}
die() { echo "search.sh: $*" >&2; exit 1; }
[ -n "$dir" ] || die "start|stop elasticsearch|opensearch DIR"
case $server in
  elasticsearch) version=8.19.21 port=${SEARCH_PORT:-29200} main=ElasticsearchNode ;;
  opensearch) version=2.19.6 port=${SEARCH_PORT:-29300} main=OpenSearchNode ;;
  *) die "no such server: $server" ;;
esac
cache=${SERVICES_CACHE:-$HOME/.cache/towpath-services}/$server-$version

is_running() { [ -s "$dir/pid" ] && kill -0 "$(<"$dir/pid")" 2>/dev/null; }
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Copies artifacts given as GROUP:NAME:VERSION, with all that they need, to libs/.
copy_jars() {
  local pom=$cache/pom.xml artifact group name number
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>towpath.tests</groupId><artifactId>node</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    for artifact; do
      IFS=: read -r group name number <<<"$artifact"
      echo "<dependency><groupId>$group</groupId><artifactId>$name</artifactId><version>$number</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$pom"
  mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$cache/libs" >&2 ||
    die "Maven cannot copy the jars"
}

# A program that starts a node from settings given as key=value, and stops it with the process.
compile() {
  mkdir -p "$cache/classes"
  cat >"$cache/$main.java"
  javac -cp "$cache/libs/*" -d "$cache/classes" "$cache/$main.java" >&2 || die "javac fails"
}

install_opensearch() {
  local plugin plugins=()
  for plugin in transport-netty4-client mapper-extras-client reindex-client analysis-common; do
    plugins+=("org.opensearch.plugin:$plugin:$version")
  done
  copy_jars "org.opensearch:opensearch:$version" "${plugins[@]}" org.apache.logging.log4j:log4j-core:2.25.4
  compile <<'JAVA'
import java.util.List;
import java.util.Map;
import org.opensearch.common.logging.LogConfigurator;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;

public class OpenSearchNode extends Node {
    OpenSearchNode(Settings settings) {
        super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "towpath"),
            List.of(org.opensearch.transport.Netty4Plugin.class, org.opensearch.index.mapper.MapperExtrasPlugin.class,
                org.opensearch.index.reindex.ReindexPlugin.class, org.opensearch.analysis.common.CommonAnalysisPlugin.class),
            false);
    }

    public static void main(String[] args) throws Exception {
        var settings = Settings.builder();
        for (var arg : args) settings.put(arg.split("=", 2)[0], arg.split("=", 2)[1]);
        LogConfigurator.configureWithoutConfig(settings.build());
        var node = new OpenSearchNode(settings.build());
        var main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try { node.close(); } catch (Exception e) { e.printStackTrace(); }
        }));
        node.start();
        main.join();
    }
}
JAVA
}

install_elasticsearch() {
  local module=$cache/modules/transport-netty4 log4j
  local artifacts=("org.elasticsearch:elasticsearch:$version" "org.elasticsearch.plugin:transport-netty4:$version")
  copy_jars "${artifacts[@]}"
  # The core of log4j must be of the version of its interface, which the server chooses.
  log4j=$(basename "$cache"/libs/log4j-api-*.jar .jar)
  copy_jars "${artifacts[@]}" "org.apache.logging.log4j:log4j-core:${log4j#log4j-api-}"
  # Modules are loaded from a directory of their own, and no class may be on both paths.
  mkdir -p "$module"
  mv "$cache"/libs/transport-netty4-*.jar "$cache"/libs/netty-*.jar "$module"
  cat >"$module/plugin-descriptor.properties" <<P
name=transport-netty4
description=HTTP
version=$version
elasticsearch.version=$version
java.version=17
classname=org.elasticsearch.transport.netty4.Netty4Plugin
P
  compile <<'JAVA'
import java.util.Map;
import java.util.Set;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

public class ElasticsearchNode {
    public static void main(String[] args) throws Exception {
        var settings = Settings.builder();
        for (var arg : args) settings.put(arg.split("=", 2)[0], arg.split("=", 2)[1]);
        LogConfigurator.configureESLogging();
        LogConfigurator.configureWithoutConfig(settings.build());
        var environment = InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), null, () -> "towpath");
        var bundles = PluginsLoader.loadModulesBundles(environment.modulesDir());
        var node = new Node(environment, PluginsLoader.createPluginsLoader(bundles, Set.of(), Map.of(), false));
        var main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try { node.close(); } catch (Exception e) { e.printStackTrace(); }
        }));
        node.start();
        main.join();
    }
}
JAVA
}

start() {
  is_running && die "is running already, with pid $(<"$dir/pid")"
  local taken
  for taken in "$port" $((port + 50)); do listens "$taken" && die "port $taken is taken"; done
  if [ ! -e "$cache/complete" ]; then
    rm -rf "$cache"
    mkdir -p "$cache"
    "install_$server"
    touch "$cache/complete"
  fi
  mkdir -p "$dir/home/config" "$dir/home/tmp"
  dir=$(cd "$dir" && pwd)
  [ "$server" = opensearch ] || ln -sfn "$cache/modules" "$dir/home/modules"
  setsid nohup java -Xms512m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Des.distribution.type=tar \
    "-Djava.io.tmpdir=$dir/home/tmp" -cp "$cache/classes:$cache/libs/*" "$main" "path.home=$dir/home" \
    cluster.name=towpath node.name=towpath discovery.type=single-node network.host=127.0.0.1 \
    "http.port=$port" "transport.port=$((port + 50))" http.type=netty4 transport.type=netty4 \
    cluster.routing.allocation.disk.threshold_enabled=false >"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  local health="http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=1s"
  for _ in $(seq 600); do
    if ! is_running; then tail -20 "$dir/log" >&2; die "$server has ended"; fi
    if curl -sf -o /dev/null "$health"; then echo "http://127.0.0.1:$port"; return; fi
    sleep 0.2
  done
  stop
  die "$server does not answer within two minutes, see $dir/log"
}

stop() {
  if is_running; then
    local pid
    pid=$(<"$dir/pid")
    kill "$pid"
    for _ in $(seq 150); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    if kill -9 "$pid" 2>/dev/null; then echo "search.sh: $server had to be killed" >&2; fi
  fi
  rm -f "$dir/pid"
}

case $verb in
  start | stop) "$verb" ;;
  *) die "no such verb: $verb" ;;
esac
