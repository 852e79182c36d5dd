//! Server that answers each request with whatever a test wants.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Loopback server, until the test process ends.
pub struct FakeServer {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl FakeServer {
    /// Starts a server whose answers are `200 OK` with the returned body.
    pub fn of_bodies(body: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> FakeServer {
        FakeServer::start(move |request, number, stream| {
            let body = body(request, number);
            respond(stream, "200 OK", &body)
        })
    }

    /// Starts a server whose answers `answer` writes. It is given the text of the request, as far as it was read, and
    /// its number from 0.
    pub fn start(
        answer: impl Fn(&str, usize, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> FakeServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = requests.clone();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, count) = (answer.clone(), count.clone());
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let request = read_request(&mut stream);
                    let number = count.fetch_add(1, Ordering::SeqCst);
                    // The client may hang up.
                    let _ = answer(&request, number, &mut stream);
                });
            }
        });
        FakeServer { url, requests }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Number of requests so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Writes a whole response.
pub fn respond(stream: &mut TcpStream, status: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

/// Reads head and body of a request.
fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return text.into_owned();
            }
        }
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => return String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}
