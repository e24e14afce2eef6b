//! `deploy/`: what stands in its files is what Towpath and Kubernetes take, and they agree with one another.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jsonschema::Draft;
use serde_json::{Value, json};
use settings::HumanDuration;

use crate::yaml;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(name: &str) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The objects of both manifests.
fn objects() -> Vec<Value> {
    let mut objects = yaml::documents(&read("deploy/kubernetes.yaml"));
    objects.extend(yaml::documents(&read("deploy/kubernetes-secret.yaml")));
    objects
}

fn object(kind: &str) -> Value {
    let mut found = objects().into_iter().filter(|object| object["kind"] == kind);
    let first = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "two of {kind}");
    first
}

fn pod() -> Value {
    object("StatefulSet")["spec"]["template"]["spec"].take()
}

fn container(pod: &Value) -> &Value {
    let [container] = list(&pod["containers"]) else { panic!("one container: {pod}") };
    container
}

#[track_caller]
fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("a list: {value}"))
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

/// The entry of a list that has this name.
#[track_caller]
fn named<'v>(entries: &'v Value, name: &str) -> &'v Value {
    list(entries).iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("{name}: {entries}"))
}

fn seconds(value: &Value) -> Duration {
    Duration::from_secs(value.as_u64().unwrap_or_else(|| panic!("seconds: {value}")))
}

fn duration(text: &str) -> Duration {
    text.parse::<HumanDuration>().unwrap_or_else(|error| panic!("{text}: {error}")).get()
}

/// `towpath.yaml` of the ConfigMap.
fn config_of_the_manifest() -> String {
    text(&object("ConfigMap")["data"]["towpath.yaml"]).to_owned()
}

fn parsed(config: &str) -> Value {
    let [config] = &yaml::documents(config)[..] else { panic!("one document") };
    config.clone()
}

/// How long a stop may take by this configuration, or by the default.
fn drain_timeout(config: &Value) -> Duration {
    let output =
        Command::new(env!("CARGO_BIN_EXE_towpath")).args(["schema", "config"]).output().expect("it runs");
    let schema: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let default = text(&schema["properties"]["drain_timeout"]["default"]).to_owned();
    duration(config["drain_timeout"].as_str().unwrap_or(&default))
}

/// Files that `${file:…}` names, in order.
fn secret_files(config: &str) -> Vec<&str> {
    let uncommented = config.lines().filter(|line| !line.trim_start().starts_with('#'));
    uncommented.filter_map(|line| Some(line.split_once("${file:")?.1.split_once('}')?.0)).collect()
}

/// `towpath check` on this text, with files that stand in for the secrets: it is valid, and nothing is to be said.
#[track_caller]
fn assert_valid(config: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut config = config.to_owned();
    for file in secret_files(&config.clone()) {
        let stand_in = dir.path().join(Path::new(file).file_name().expect("a name"));
        std::fs::write(&stand_in, "PMAK-of-a-test\n").expect("a secret");
        config = config.replace(file, stand_in.to_str().expect("UTF-8"));
    }
    let path = dir.path().join("towpath.yaml");
    std::fs::write(&path, &config).expect("a configuration");
    let mut check = Command::new(env!("CARGO_BIN_EXE_towpath"));
    let output = check.args(["check", "--config"]).arg(&path).env_clear().output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && !said.contains("warning"), "{said}");
}

#[test]
fn the_manifest_is_valid_in_the_schemas_of_kubernetes() {
    let schemas: Value =
        serde_json::from_str(&read("deploy/schemas/kubernetes-1.37-strict.json")).expect("JSON");
    let validate = |object: &Value| -> Vec<String> {
        let mut schema = schemas["kinds"][text(&object["kind"])].clone();
        assert!(schema.is_object(), "no schema of {}", object["kind"]);
        schema["$defs"] = schemas["$defs"].clone();
        let validator =
            jsonschema::options().with_draft(Draft::Draft202012).build(&schema).expect("a JSON Schema");
        validator.iter_errors(object).map(|error| format!("{}: {error}", error.instance_path())).collect()
    };
    let objects = objects();
    assert!(objects.len() >= 4, "{}", objects.len());
    for object in &objects {
        assert_eq!(
            validate(object),
            Vec::<String>::new(),
            "{} {}",
            object["kind"],
            object["metadata"]["name"]
        );
    }
    // The schemas see what they should.
    for (pointer, wrong) in [
        ("/spec/template/spec/containers/0/ports/0/containerPort", json!("9600")),
        ("/spec/template/spec/containers/0/securityContext", json!({ "readOnlyRootFileSystem": true })),
        ("/spec/template/spec/terminationGracePeriod", json!(40)),
    ] {
        let mut object = object("StatefulSet");
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        object.pointer_mut(parent).expect("is there")[key] = wrong;
        assert_eq!(validate(&object).len(), 1, "{pointer}");
    }
}

#[test]
fn the_configurations_are_valid() {
    assert_valid(&config_of_the_manifest());
    assert_valid(&read("deploy/towpath.yaml"));
}

#[test]
fn the_manifest_agrees_with_its_configuration() {
    let (config, pod, service) = (config_of_the_manifest(), pod(), object("Service"));
    let config_tree = parsed(&config);
    let container = container(&pod);

    let grace = seconds(&pod["terminationGracePeriodSeconds"]);
    assert!(grace > drain_timeout(&config_tree) + Duration::from_secs(5), "{grace:?}");

    // Probes, scrapes and the admin server meet at one port.
    let (host, port) = text(&config_tree["admin"]["listen"]).rsplit_once(':').expect("address and port");
    assert_eq!(host, "0.0.0.0", "kubelet comes from outside of the pod");
    let port: u64 = port.parse().expect("a port");
    assert_eq!(named(&container["ports"], "admin")["containerPort"], port);
    for (probe, path) in
        [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
    {
        let probe = &container[probe];
        assert_eq!(probe["httpGet"], json!({ "path": path, "port": "admin" }));
        // `/livez` takes 5 s to say that nothing goes on.
        assert!(seconds(&probe["timeoutSeconds"]) > Duration::from_secs(5), "{probe}");
    }
    let of_service = named(&service["spec"]["ports"], "admin");
    assert_eq!((&of_service["port"], &of_service["targetPort"]), (&json!(port), &json!("admin")));
    let annotations = &service["metadata"]["annotations"];
    assert_eq!(annotations["prometheus.io/port"], port.to_string());
    assert_eq!(annotations["prometheus.io/path"], "/metrics");

    // One process, found by the Service.
    let set = &object("StatefulSet")["spec"];
    assert_eq!((&set["replicas"], &set["serviceName"]), (&json!(1), &service["metadata"]["name"]));
    let labels = &set["template"]["metadata"]["labels"];
    assert_eq!((&set["selector"]["matchLabels"], &service["spec"]["selector"]), (labels, labels));

    // Secrets are mounted where the configuration reads them, and the Secret has them.
    let mounts = &container["volumeMounts"];
    let keys: BTreeSet<&str> = secret_files(&config)
        .into_iter()
        .map(|file| {
            let (dir, key) = file.rsplit_once('/').expect("a path");
            assert_eq!(named(mounts, "secrets")["mountPath"], dir);
            key
        })
        .collect();
    let secret = object("Secret");
    let in_secret: BTreeSet<&str> =
        secret["stringData"].as_object().expect("keys").keys().map(String::as_str).collect();
    assert_eq!(keys, in_secret);
    let volumes = &pod["volumes"];
    assert_eq!(named(volumes, "secrets")["secret"]["secretName"], secret["metadata"]["name"]);
    assert_eq!(named(volumes, "secrets")["secret"]["defaultMode"], 0o440);
    assert_eq!(named(volumes, "config")["configMap"]["name"], object("ConfigMap")["metadata"]["name"]);
    assert_eq!(named(mounts, "config")["mountPath"], "/etc/towpath", "where a configuration is looked for");

    // What is written lies on the volume that stays.
    let [claim] = list(&set["volumeClaimTemplates"]) else { panic!("one volume") };
    let volume = text(&named(mounts, text(&claim["metadata"]["name"]))["mountPath"]);
    for written in [&config_tree["data_dir"], &config_tree["sinks"]["archive"]["path"]] {
        assert!(text(written).starts_with(&format!("{volume}/")), "{written} is not below {volume}");
    }
}

#[test]
fn the_container_has_no_rights_that_it_does_not_need() {
    let pod = pod();
    let (container, dockerfile) = (container(&pod), read("deploy/Dockerfile"));
    let of_pod = &pod["securityContext"];
    let user = &of_pod["runAsUser"];
    assert!(user.as_u64().is_some_and(|user| user > 0), "{user}");
    assert_eq!((&of_pod["runAsNonRoot"], &of_pod["fsGroup"]), (&json!(true), user));
    assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        })
    );
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert!(dockerfile.contains(&format!("\nUSER {user}:{user}\n")), "the image's user is {user} as well");
}

#[test]
fn the_image_is_built_with_the_toolchain_of_the_workspace() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a channel");
    let dockerfile = read("deploy/Dockerfile");
    let pinned = format!("\nARG RUST={}\n", channel.trim_matches('"'));
    assert!(dockerfile.contains(&pinned), "deploy/Dockerfile has no line {}", pinned.trim());
    for line in dockerfile.lines().filter(|line| line.starts_with("FROM ")) {
        assert!(line.contains(":${RUST}-") || line.contains(":${DEBIAN}-"), "no pinned tag: {line}");
    }
    // What the build copies is what it is sent.
    let sent = read("deploy/Dockerfile.dockerignore");
    for copied in ["Cargo.toml", "Cargo.lock", "crates", "tests"] {
        assert!(sent.contains(&format!("\n!{copied}\n")), "{copied}");
    }
    for instruction in
        ["\nENTRYPOINT [\"towpath\"]\n", "\nCMD [\"run\"]\n", "\nSTOPSIGNAL SIGTERM\n", "\nEXPOSE 9600\n"]
    {
        assert!(dockerfile.contains(instruction), "{instruction}");
    }
}

#[test]
fn the_unit_agrees_with_its_configuration() {
    let (unit, config) = (read("deploy/towpath.service"), read("deploy/towpath.yaml"));
    let value = |key: &str| {
        let mut values = unit.lines().filter_map(|line| line.strip_prefix(&format!("{key}=")));
        values.next().unwrap_or_else(|| panic!("no {key}="))
    };
    let tree = parsed(&config);
    assert!(duration(value("TimeoutStopSec")) > drain_timeout(&tree) + Duration::from_secs(5));
    assert_eq!((value("Restart"), value("RestartPreventExitStatus")), ("on-failure", "2"));
    assert_eq!(value("ExecStart"), "/usr/local/bin/towpath run --config /etc/towpath/towpath.yaml");

    let (credential, file) = value("LoadCredential").split_once(':').expect("a name and a file");
    assert!(Path::new(file).is_absolute());
    let expected = format!("/run/credentials/towpath.service/{credential}");
    assert_eq!(secret_files(&config), [expected.as_str()]);

    // The file system is read-only but for these.
    assert_eq!(value("ProtectSystem"), "strict");
    let data = format!("/var/lib/{}/", value("StateDirectory"));
    assert!(text(&tree["data_dir"]).starts_with(&data), "{data}");
    let logs = format!("/var/log/{}/", value("LogsDirectory"));
    assert!(text(&tree["sinks"]["archive"]["path"]).starts_with(&logs), "{logs}");
}

#[test]
fn alerts_and_the_operators_documentation_name_metrics_that_there_are() {
    let (alerts, operating) = (read("deploy/alerts.yaml"), read("docs/operating.md"));
    for text in [&alerts, &operating] {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let metrics = words.filter(|word| word.starts_with("towpath_") || word.starts_with("process_"));
        let mut found = 0;
        for metric in metrics {
            found += 1;
            let known = telemetry::metrics::ALL.iter().any(|known| known.name == metric);
            assert!(known, "there is no metric {metric}");
        }
        assert!(found > 5, "{found}");
    }
    let [tree] = &yaml::documents(&alerts)[..] else { panic!("one document") };
    for rule in list(&tree["groups"][0]["rules"]) {
        let name = text(&rule["alert"]);
        assert!(operating.contains(&format!("`{name}`")), "docs/operating.md does not explain {name}");
        assert!(!text(&rule["annotations"]["summary"]).is_empty(), "{name}");
    }
}
