//! A proxy before the sandbox that writes down what passes. The key is not kept.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::KEY;
use crate::support::Sandbox;

/// What stands for the key in what is written down.
pub const SHOWN_KEY: &str = "<key>";

/// A request with its answer.
pub struct Exchange {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Names in lower case; the key is taken out of the values.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub status: u16,
    answer: Vec<u8>,
}

impl Exchange {
    pub fn request(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body is JSON")
    }

    pub fn answer(&self) -> Value {
        serde_json::from_slice(&self.answer).expect("an answer is JSON")
    }
}

#[derive(Default)]
struct Tape {
    exchanges: Mutex<Vec<Exchange>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    ended: AtomicBool,
}

/// A proxy before a sandbox, until it is dropped.
pub struct Recorder {
    address: String,
    tape: Arc<Tape>,
}

impl Recorder {
    pub fn before(sandbox: &Sandbox) -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let upstream = sandbox.url().trim_start_matches("http://").to_string();
        let tape = Arc::new(Tape::default());
        let shared = tape.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.ended.load(Ordering::Acquire) {
                    return;
                }
                let (tape, upstream) = (shared.clone(), upstream.clone());
                std::thread::spawn(move || pass_on(client.unwrap(), &upstream, &tape));
            }
        });
        Recorder { address, tape }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What has passed since the last look.
    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.tape.exchanges.lock().unwrap())
    }

    pub fn most_in_flight(&self) -> usize {
        self.tape.most_in_flight.load(Ordering::Acquire)
    }

    /// Sends a request of the test's own.
    pub fn ask(&self, method: &str, path: &str, key: &str, body: &str) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nauthorization: {key}\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.tape.ended.store(true, Ordering::Release);
        let _ = TcpStream::connect(&self.address);
    }
}

/// The first line and the headers of a message.
fn head(reader: &mut impl BufRead) -> (String, BTreeMap<String, String>) {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_string()
    };
    let (first, mut headers) = (line(), BTreeMap::new());
    loop {
        match line().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_string()),
            None => return (first, headers),
        };
    }
}

/// Passes one request on and its answer back; connections are not kept.
fn pass_on(mut client: TcpStream, upstream: &str, tape: &Tape) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let (first, mut headers) = head(&mut reader);
    let parts: Vec<&str> = first.split(' ').collect();
    let [method, target, _] = parts[..] else {
        return; // A connection without a request.
    };
    let now = tape.in_flight.fetch_add(1, Ordering::AcqRel) + 1;
    tape.most_in_flight.fetch_max(now, Ordering::AcqRel);
    let length = headers.get("content-length").map_or("0", String::as_str);
    let mut body = vec![0; length.parse().expect("bodies have a length")];
    reader.read_exact(&mut body).unwrap();

    let mut server = TcpStream::connect(upstream).unwrap();
    // HTTP/1.0: the answer ends with the connection.
    write!(server, "{method} {target} HTTP/1.0\r\nhost: {upstream}\r\n").unwrap();
    let passed = headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "host" | "connection"));
    for (name, value) in passed {
        write!(server, "{name}: {value}\r\n").unwrap();
    }
    server.write_all(b"\r\n").unwrap();
    server.write_all(&body).unwrap();
    let mut reader = BufReader::new(server);
    let (status, answered) = head(&mut reader);
    let mut answer = Vec::new();
    reader.read_to_end(&mut answer).unwrap();

    tape.in_flight.fetch_sub(1, Ordering::AcqRel);
    let status = status.split(' ').nth(1).expect("an answer has a status");
    let length = answer.len();
    let kind = answered.get("content-type").map_or("", String::as_str);
    let answer_head = format!(
        "HTTP/1.1 {status} Passed On\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {length}\r\n\r\n"
    );
    for value in headers.values_mut() {
        *value = value.replace(KEY, SHOWN_KEY);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let exchange = Exchange {
        method: method.to_string(),
        path: path.to_string(),
        query: query.to_string(),
        headers,
        body,
        status: status.parse().unwrap(),
        answer: answer.clone(),
    };
    // Before the client has its answer, so that what it has seen is on the tape.
    tape.exchanges.lock().unwrap().push(exchange);
    client.write_all(answer_head.as_bytes()).unwrap();
    client.write_all(&answer).unwrap();
}
