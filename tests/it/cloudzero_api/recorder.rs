//! Recording proxy in front of the sandbox. Recordings do not contain the key.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::KEY;
use crate::support::Sandbox;

/// Placeholder of the key in recordings.
pub const SHOWN_KEY: &str = "<key>";

/// Request with its response.
pub struct Exchange {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Lower-case names; the key is replaced in the values.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    pub status: u16,
    response: Vec<u8>,
}

impl Exchange {
    pub fn request(&self) -> Value {
        serde_json::from_slice(&self.body).expect("request bodies are JSON")
    }

    pub fn response(&self) -> Value {
        serde_json::from_slice(&self.response).expect("responses are JSON")
    }
}

#[derive(Default)]
struct Recording {
    exchanges: Mutex<Vec<Exchange>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    is_stopped: AtomicBool,
}

/// Proxy in front of a sandbox; runs until it is dropped.
pub struct Recorder {
    address: String,
    recording: Arc<Recording>,
}

impl Recorder {
    pub fn start(sandbox: &Sandbox) -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let upstream = sandbox.url().trim_start_matches("http://").to_string();
        let recording = Arc::new(Recording::default());
        let shared = recording.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if shared.is_stopped.load(Ordering::Acquire) {
                    return;
                }
                let (recording, upstream) = (shared.clone(), upstream.clone());
                std::thread::spawn(move || forward(client.unwrap(), &upstream, &recording));
            }
        });
        Recorder { address, recording }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the exchanges since the last call.
    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.recording.exchanges.lock().unwrap())
    }

    pub fn most_in_flight(&self) -> usize {
        self.recording.most_in_flight.load(Ordering::Acquire)
    }

    /// Sends a request through the proxy.
    pub fn send(&self, method: &str, path: &str, key: &str, body: &str) {
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
        self.recording.is_stopped.store(true, Ordering::Release);
        let _ = TcpStream::connect(&self.address);
    }
}

/// Reads the first line and the headers of a message.
fn read_head(reader: &mut impl BufRead) -> (String, BTreeMap<String, String>) {
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

/// Forwards one request and its response, then closes the connection.
fn forward(mut client: TcpStream, upstream: &str, recording: &Recording) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let (first, mut headers) = read_head(&mut reader);
    let parts: Vec<&str> = first.split(' ').collect();
    let [method, target, _] = parts[..] else {
        return; // A connection without a request, such as the one that stops the proxy.
    };
    let now = recording.in_flight.fetch_add(1, Ordering::AcqRel) + 1;
    recording.most_in_flight.fetch_max(now, Ordering::AcqRel);
    let length = headers.get("content-length").map_or("0", String::as_str);
    let mut body = vec![0; length.parse().expect("a content length is a number")];
    reader.read_exact(&mut body).unwrap();

    let mut server = TcpStream::connect(upstream).unwrap();
    // With HTTP/1.0 the response ends with the connection.
    write!(server, "{method} {target} HTTP/1.0\r\nhost: {upstream}\r\n").unwrap();
    let forwarded = headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "host" | "connection"));
    for (name, value) in forwarded {
        write!(server, "{name}: {value}\r\n").unwrap();
    }
    server.write_all(b"\r\n").unwrap();
    server.write_all(&body).unwrap();
    let mut reader = BufReader::new(server);
    let (status, response_headers) = read_head(&mut reader);
    let mut response = Vec::new();
    reader.read_to_end(&mut response).unwrap();

    recording.in_flight.fetch_sub(1, Ordering::AcqRel);
    let status = status.split(' ').nth(1).expect("a response has a status");
    let length = response.len();
    let content_type = response_headers
        .get("content-type")
        .map_or("", String::as_str);
    let response_head = format!(
        "HTTP/1.1 {status} Forwarded\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
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
        response: response.clone(),
    };
    // Recorded before the client has its response, so that the recording has everything that the client has seen.
    recording.exchanges.lock().unwrap().push(exchange);
    client.write_all(response_head.as_bytes()).unwrap();
    client.write_all(&response).unwrap();
}
