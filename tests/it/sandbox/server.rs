//! Sandbox served in the test's own process, and a minimal HTTP client that shows exactly what arrives.

use billstream::sandbox::{Options, base_url, serve};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Sandbox on a free port, until it is dropped.
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<billstream::error::Result<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Response as received; `body` is shorter than `content-length` if the connection ended early.
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    /// Value of `content-length`.
    pub fn announced_len(&self) -> usize {
        let length = self.headers["content-length"].to_str().unwrap();
        length.parse().unwrap()
    }

    fn parse(text: &[u8]) -> Response {
        let end = text
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .expect("a response head");
        let head = std::str::from_utf8(&text[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            headers.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        assert!(!headers.contains_key("transfer-encoding"), "{head}");
        Response {
            status: status.parse().unwrap(),
            headers,
            body: text[end + 4..].to_vec(),
        }
    }
}

impl Server {
    /// Serves a sandbox on the current runtime.
    pub async fn start(options: Options) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://127.0.0.1:{}", address.port());
        assert_eq!(base_url(&address), url);
        Server {
            address,
            task: tokio::spawn(serve(listener, options)),
        }
    }

    /// Endpoint URL.
    pub fn url(&self) -> String {
        base_url(&self.address)
    }

    /// Path of a URL of this server.
    pub fn path_of(&self, url: &str) -> String {
        let path = url.strip_prefix(&self.url());
        path.unwrap_or_else(|| panic!("{url} is not below {}", self.url()))
            .to_owned()
    }

    /// Sends one request on its own connection.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let head = self.head(method, path, headers, body.len());
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(&[head.as_bytes(), body].concat()).await?;
        receive(stream).await
    }

    /// Sends the head of a request and half of its body; the rest follows with [`Upload::finish`].
    pub async fn send_half(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Upload {
        let head = self.head(method, path, headers, body.len());
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let (first, rest) = body.split_at(body.len() / 2);
        stream
            .write_all(&[head.as_bytes(), first].concat())
            .await
            .unwrap();
        Upload {
            stream,
            rest: rest.to_vec(),
        }
    }

    fn head(&self, method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> String {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n",
            self.address
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head + "\r\n"
    }
}

/// Request of which half of the body has been sent.
pub struct Upload {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Upload {
    /// Sends the rest of the body.
    pub async fn finish(mut self) -> Response {
        self.stream.write_all(&self.rest).await.unwrap();
        receive(self.stream).await.unwrap()
    }
}

async fn receive(mut stream: TcpStream) -> io::Result<Response> {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await?;
    Ok(Response::parse(&text))
}
