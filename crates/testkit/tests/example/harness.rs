//! How the sink takes part in the suite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pipeline::Sink;
use testkit::sink::{CannotHappen, Destination, Harness, Held, Trouble, Unheard};

use crate::collector::Collector;
use crate::sink::CollectorSink;

const TOKEN: &str = "t0ken-of-the-collector";

pub struct CollectorHarness;

#[async_trait]
impl Harness for CollectorHarness {
    async fn destination(&self) -> Box<dyn Destination> {
        Box::new(Running(Collector::start(TOKEN).await))
    }

    /// The collector cannot take back what it has, and recognises it by its id.
    fn unheard(&self) -> Unheard {
        Unheard::Stays
    }
}

struct Running(Collector);

impl Destination for Running {
    fn sink(&self) -> Arc<dyn Sink> {
        let (address, token) = (self.0.address, TOKEN.to_owned());
        Arc::new(CollectorSink { address, token, timeout: Duration::from_millis(1000) })
    }

    fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        match trouble {
            Trouble::Untrusted => Err(CannotHappen("the protocol has no TLS")),
            trouble => {
                self.0.set(Some(trouble));
                Ok(())
            }
        }
    }

    fn heal(&self) {
        self.0.set(None);
    }

    fn held(&self) -> Held {
        self.0.held()
    }

    fn secrets(&self) -> Vec<String> {
        vec![TOKEN.to_owned()]
    }
}
