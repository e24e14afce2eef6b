//! A broker that knows nothing but SASL as Kafka first had it: a handshake, then bare frames (KIP-43, before KIP-152). It
//! tells what it is shown, and lets in whom a function says.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Whom to let in, by what is shown.
type Doorman = dyn Fn(&str) -> bool + Send + Sync;

/// It ends with the runtime that it was started in.
pub(crate) struct Broker {
    pub(crate) address: String,
    shown: Arc<Mutex<Vec<String>>>,
}

impl Broker {
    pub(crate) async fn start(lets_in: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (lets_in, seen): (Arc<Doorman>, _) = (Arc::new(lets_in), shown.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (lets_in, seen) = (lets_in.clone(), seen.clone());
                // A client that goes away is what some of it is about.
                tokio::spawn(async move { drop(serve(stream, &*lets_in, &seen).await) });
            }
        });
        Self { address, shown }
    }

    /// What it was shown until now, with its separators as blanks.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.shown.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, lets_in: &Doorman, shown: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let question = frame(&mut stream).await?;
    // Its key and version, and the correlation id, which the answer begins with.
    assert_eq!(question[..4], [0, 18, 0, 3], "ApiVersions");
    let mut answer = question[4..8].to_vec();
    // No error, then an array, of which the length is counted from 1: keys with their first and last versions,
    // without tags. InitProducerId is there for the look of it.
    answer.extend([0, 0, 4]);
    answer.extend([0, 18, 0, 0, 0, 3, 0]);
    answer.extend([0, 22, 0, 0, 0, 1, 0]);
    answer.extend([0, 17, 0, 0, 0, 0, 0]);
    // No throttling, no tags.
    answer.extend([0, 0, 0, 0, 0]);
    send(&mut stream, &answer).await?;

    let handshake = frame(&mut stream).await?;
    assert_eq!(handshake[..4], [0, 17, 0, 0], "SaslHandshake");
    let mut answer = handshake[4..8].to_vec();
    // No error, one mechanism.
    answer.extend([0, 0, 0, 0, 0, 1, 0, 11]);
    answer.extend(b"OAUTHBEARER");
    send(&mut stream, &answer).await?;
    let first = String::from_utf8(frame(&mut stream).await?).unwrap().replace('\u{1}', " ");
    let is_in = lets_in(&first);
    shown.lock().unwrap().push(first);
    send(&mut stream, if is_in { b"" } else { br#"{"status":"invalid_token"}"# }).await?;
    if !is_in {
        // RFC 7628, 3.2.3: the client agrees to the end.
        assert_eq!(frame(&mut stream).await?, [1]);
        send(&mut stream, b"").await?;
    }
    // Nothing that comes now is answered.
    loop {
        frame(&mut stream).await?;
    }
}

async fn frame(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn send(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_u32(bytes.len() as u32).await?;
    stream.write_all(bytes).await
}
