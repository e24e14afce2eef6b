//! A collector on loopback that takes what its protocol takes and nothing else.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use testkit::sink::{Delivery, Held, POISON, Trouble};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::sleep;

#[derive(Default)]
struct State {
    held: Held,
    trouble: Option<Trouble>,
}

pub struct Collector {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: AbortHandle,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Collector {
    pub async fn start(token: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = state.clone();
        let listening = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = shared.clone();
                tokio::spawn(async move {
                    // A sink that goes away in the middle is what some cases are about.
                    serve(stream, token, &state).await.ok();
                });
            }
        });
        Self { address, state, listening: listening.abort_handle() }
    }

    pub fn set(&self, trouble: Option<Trouble>) {
        self.state.lock().unwrap().trouble = trouble;
    }

    pub fn held(&self) -> Held {
        self.state.lock().unwrap().held.clone()
    }
}

async fn serve(mut stream: TcpStream, token: &str, state: &Mutex<State>) -> io::Result<()> {
    let length = stream.read_u32().await?;
    let mut body = vec![0; length as usize];
    stream.read_exact(&mut body).await?;
    let trouble = state.lock().unwrap().trouble;
    if let Some(Trouble::Slow(wait)) = trouble {
        sleep(wait).await;
    }
    match trouble {
        Some(Trouble::Unreachable) => return Ok(()),
        Some(Trouble::AnswerLost) => {
            let answer = answer(&body, token, &mut state.lock().unwrap());
            assert_eq!(answer, "ok");
            return Ok(());
        }
        _ => {}
    }
    let answer = answer(&body, token, &mut state.lock().unwrap());
    stream.write_all(format!("{answer}\n").as_bytes()).await
}

/// What it says, once it has kept what it keeps.
fn answer(body: &[u8], token: &str, state: &mut State) -> String {
    let (id, events) = match read(body, token) {
        Ok(read) => read,
        Err(violation) => {
            state.held.damage.push(violation.clone());
            return format!("refused {violation}");
        }
    };
    let bytes: usize = events.iter().map(|event| event.len() + 1).sum();
    match state.trouble {
        Some(Trouble::Failing) => return "busy".to_owned(),
        Some(Trouble::Misplaced) => return "moved".to_owned(),
        Some(Trouble::Unauthorised) => return format!("denied {token}"),
        Some(Trouble::Limit(most)) if bytes > most => return "too-large".to_owned(),
        Some(Trouble::Poison) if events.iter().any(|event| event.contains(POISON)) => {
            return format!("refused an event has no timestamp (token {token})");
        }
        Some(Trouble::TakesPart) if !events.is_empty() => {
            state.trouble = None;
            let (all, taken) = (events.len(), events.len() / 2);
            // What it keeps of a delivery it does not know by the id of the whole.
            state.held.deliveries.push(Delivery { id: None, events: events[..taken].to_vec() });
            return format!("part {taken}/{all}");
        }
        Some(Trouble::AnswerLost) => state.trouble = None,
        _ => {}
    }
    if !events.is_empty() {
        state.held.deliveries.push(Delivery { id: Some(id), events });
    }
    "ok".to_owned()
}

/// The id and the events of a delivery, or what is wrong with it.
fn read(body: &[u8], token: &str) -> Result<(String, Vec<String>), String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    let (header, lines) = text.split_once('\n').ok_or("there is no header")?;
    let (sent, id) = header.split_once(' ').ok_or("the header has no id")?;
    if sent != token {
        return Err("another token".to_owned());
    }
    if lines.is_empty() {
        return Ok((id.to_owned(), Vec::new()));
    }
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("{id:?} is no id"));
    }
    let lines = lines.strip_suffix('\n').ok_or("the last line does not end")?;
    for line in lines.split('\n') {
        let read = serde_json::from_str::<&serde_json::value::RawValue>(line);
        read.map_err(|error| format!("{line:?} is no event: {error}"))?;
    }
    Ok((id.to_owned(), lines.split('\n').map(str::to_owned).collect()))
}
