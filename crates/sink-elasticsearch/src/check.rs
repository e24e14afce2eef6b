//! `check --connect`: is the cluster there, is it the right one, and does it accept the credentials?

use http_client::delivery::{Class, Refusal, as_found, class};
use http_client::{Answer, Url};
use pipeline::SinkError;
use serde::Deserialize;

use crate::ElasticsearchSink;
use crate::answer::{KEYS, of_request};
use crate::config::{Flavor, Prepared};

/// What a node tells of itself.
#[derive(Deserialize)]
struct About {
    version: Version,
}

#[derive(Deserialize)]
struct Version {
    number: String,
    /// `opensearch`; Elasticsearch has none.
    #[serde(default)]
    distribution: Option<String>,
}

impl ElasticsearchSink {
    /// Asks every node who it is, and for the pipeline. Whether documents may be created shows with the first event.
    pub(crate) async fn prove(&self) -> Result<(), SinkError> {
        let credentials = self.credentials.current();
        for node in &self.settings.nodes {
            let answer = self.ask(node, &[], &credentials).await?;
            // An API key may create documents and still not be allowed to ask this.
            if !matches!(answer.status.as_u16(), 403 | 405) {
                self.judge(node, &answer, &credentials)?;
            }
        }
        if let (Some(pipeline), Some(node)) = (&self.settings.pipeline, self.settings.nodes.first()) {
            let answer = self.ask(node, &["_ingest", "pipeline", pipeline], &credentials).await?;
            if answer.status.as_u16() == 404 {
                let remedy = "create the ingest pipeline that `pipeline` names, or remove the key".to_owned();
                let source = Refusal::read(node, &answer, &credentials.hidden).into();
                return Err(SinkError::Paused { reason: "pipeline", remedy, source });
            }
        }
        Ok(())
    }

    async fn ask(&self, node: &Url, path: &[&str], credentials: &Prepared) -> Result<Answer, SinkError> {
        let request = self.question(node, path, credentials);
        self.client.deliver(&request).await.map_err(|error| as_found(error, &KEYS))
    }

    fn judge(&self, node: &Url, answer: &Answer, credentials: &Prepared) -> Result<(), SinkError> {
        if class(answer.status.as_u16(), &KEYS) != Class::Taken {
            return Err(of_request(node, answer, 0, &credentials.hidden));
        }
        let wrong = |reason, words: &str, remedy: &str| {
            let source = Refusal::in_words(node, answer.status.as_u16(), words, &credentials.hidden).into();
            Err(SinkError::Paused { reason, remedy: remedy.to_owned(), source })
        };
        let Ok(About { version }) = serde_json::from_slice(&answer.body) else {
            let words = String::from_utf8_lossy(&answer.body);
            let remedy = "check `urls`: what answers there is neither Elasticsearch nor OpenSearch";
            return wrong("protocol", &words, remedy);
        };
        let is_old =
            version.number.split('.').next().and_then(|major| major.parse().ok()).is_some_and(|n: u32| n < 8);
        let is_opensearch = version.distribution.as_deref() == Some("opensearch");
        let product = if is_opensearch { "OpenSearch" } else { "Elasticsearch" };
        let words = format!("it is {product} {}", version.number);
        match self.settings.flavor {
            Flavor::Elasticsearch if is_opensearch || is_old => {
                wrong("flavor", &words, "set `flavor: opensearch`")
            }
            Flavor::Opensearch if !is_opensearch && !is_old => {
                wrong("flavor", &words, "set `flavor: elasticsearch`")
            }
            _ => Ok(()),
        }
    }
}
