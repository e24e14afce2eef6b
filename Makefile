# The one entry point for people and CI. `make` alone lists the targets.
CARGO ?= cargo

.PHONY: help demo test test-services e2e check fmt clippy deny doc bench startup-order docs clean install-tools

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

demo: ## the main job, on this machine, with nothing else installed
	$(CARGO) run --quiet -p towpath -- demo --exit

test: ## all tests: units, properties, conformance, the real binary end to end
	$(CARGO) build --locked --package towpath # with the features that are shipped; what the tests add to them is not in it
	$(CARGO) test --workspace --locked

test-services: ## the sinks against real Kafka, MinIO, Elasticsearch, OpenSearch, rsyslog and syslog-ng, as far as they can be had; a storm for each
	tests/services/run.sh

e2e: ## only the end-to-end tests of the real binary
	$(CARGO) test --locked -p e2e

check: fmt clippy deny doc ## lints: formatting, clippy, licences and advisories, documentation

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

deny: install-tools ## licences, sources, duplicate versions; advisories where their database can be reached
	$(CARGO) deny --locked check bans licenses sources
	.ci/advisories

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

bench: ## throughput and cost; every output is validated before its figure is printed
	$(CARGO) build --release --locked -p towpath
	TOWPATH_BIN=$$($(CARGO) metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/towpath \
	  $(CARGO) bench --locked -p e2e --bench figures

startup-order: ## note anew which functions run at the start (crates/towpath/startup.ld); before a release, needs valgrind
	: >crates/towpath/startup.ld # callgrind knows the section .text and no other, so the program is linked without an order
	$(CARGO) rustc --release --locked -p towpath --bin towpath -- -C link-arg=-Wl,-Map=$(CURDIR)/target/towpath.map
	tests/bench/startup-order $(CURDIR)/target/release/towpath $(CURDIR)/target/towpath.map crates/towpath/startup.ld

docs: ## rewrite what is generated: config/schema.json, docs/metrics.md, golden files, what the guides of docs/ show
	UPDATE_EXPECT=1 $(CARGO) test --locked -p towpath -p transform -p config -p sink-elasticsearch
	UPDATE_EXPECT=1 $(CARGO) test --locked -p testkit --test example
	UPDATE_EXPECT=1 $(CARGO) test --locked -p e2e --test e2e -- recipes guide
	UPDATE_EXPECT=1 $(CARGO) test --locked -p hazards --test docs

install-tools: ## cargo-deny, if it is missing
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install cargo-deny --version 0.20.2 --locked --quiet

clean: ## remove what was built and what the demo wrote
	$(CARGO) clean
	rm -rf towpath-demo
