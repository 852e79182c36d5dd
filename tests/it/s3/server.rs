//! S3 server on loopback (`tests/s3_server.py`, based on moto) and the content of its buckets.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use crate::support::Billstream;

/// Python with the packages of `tests/requirements.txt`.
pub fn python() -> Command {
    let path = std::env::var_os("BILLSTREAM_TEST_PYTHON").unwrap_or_else(|| {
        panic!(
            "BILLSTREAM_TEST_PYTHON is not set: run tests/run, which installs what this test needs"
        )
    });
    Command::new(path)
}

/// Path of a script in `tests/`.
pub fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// Server of all tests. It ends with this process, because its stdin does.
struct Server {
    port: u16,
    _child: Child,
    _stdin: ChildStdin,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let mut command = python();
        command
            .arg(script("s3_server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("the S3 server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().parse().expect("the S3 server prints its port");
        Server {
            port,
            _stdin: child.stdin.take().unwrap(),
            _child: child,
        }
    })
}

fn request(method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", server().port)).unwrap();
    // moto answers unsigned requests with 403, and accepts every signature.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    let end = response
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("an HTTP response");
    let head = String::from_utf8_lossy(&response[..end]);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, response[end + 4..].to_vec())
}

/// Bucket of one test, with a store under a path in it.
pub struct Bucket {
    name: &'static str,
    prefix: &'static str,
}

impl Bucket {
    /// Creates the bucket; the store is at `prefix` (empty: the bucket's root).
    pub fn new(name: &'static str, prefix: &'static str) -> Bucket {
        assert_eq!(request("PUT", &format!("/{name}"), b"").0, 200);
        Bucket { name, prefix }
    }

    /// Returns billstream with this store.
    pub fn billstream(&self) -> Billstream {
        on_s3(&format!("s3://{}/{}", self.name, self.prefix))
    }

    fn key(&self, relative: &str) -> String {
        format!("/{}/{}/{relative}", self.name, self.prefix).replace("//", "/")
    }

    /// Content of an object.
    pub fn get(&self, relative: &str) -> Option<Vec<u8>> {
        match request("GET", &self.key(relative), b"") {
            (200, body) => Some(body),
            (404, _) => None,
            (status, body) => panic!("{relative}: {status} {}", String::from_utf8_lossy(&body)),
        }
    }

    /// Writes an object.
    pub fn put(&self, relative: &str, body: &str) {
        assert_eq!(
            request("PUT", &self.key(relative), body.as_bytes()).0,
            200,
            "{relative}"
        );
    }

    /// Deletes an object.
    pub fn delete(&self, relative: &str) {
        assert_eq!(request("DELETE", &self.key(relative), b"").0, 204);
    }

    /// Objects below a path, by name.
    pub fn objects(&self, below: &str) -> BTreeMap<String, Vec<u8>> {
        let (status, xml) = request("GET", &format!("/{}?list-type=2", self.name), b"");
        assert_eq!(status, 200);
        let xml = String::from_utf8(xml).unwrap();
        assert!(xml.contains("<IsTruncated>false"), "{xml}");
        let keys = xml
            .split("<Key>")
            .skip(1)
            .map(|rest| rest.split_once("</Key>").unwrap().0);
        keys.filter_map(|key| key.strip_prefix(self.prefix))
            .map(|name| name.trim_start_matches('/').to_string())
            .filter(|name| name.starts_with(below))
            .map(|name| (name.clone(), self.get(&name).unwrap()))
            .collect()
    }

    /// Logged requests for objects of the bucket: `PUT 412 if-none-match=* /bucket/key`.
    pub fn log(&self) -> Vec<String> {
        let (_, log) = request("GET", "/-/log", b"");
        let ours = format!(" /{}/", self.name);
        let lines = String::from_utf8(log).unwrap();
        lines
            .lines()
            .filter(|line| line.contains(&ours))
            .map(str::to_string)
            .collect()
    }

    /// Number of puts of an object with a status and a condition, such as `412 if-none-match=*`.
    pub fn puts(&self, relative: &str, outcome: &str) -> usize {
        let (expected, key) = (format!("PUT {outcome}"), format!(" {}", self.key(relative)));
        self.log()
            .iter()
            .filter(|line| line.starts_with(&expected) && line.ends_with(&key))
            .count()
    }

    /// Has the server ignore the conditions of puts to the bucket.
    pub fn ignore_conditions(&self) {
        let path = format!("/-/ignore/{}", self.name);
        assert_eq!(request("PUT", &path, b"").0, 200);
    }

    /// Has the server answer puts with conditions to the bucket with 501.
    pub fn reject_conditions(&self) {
        let path = format!("/-/reject/{}", self.name);
        assert_eq!(request("PUT", &path, b"").0, 200);
    }

    /// Has an object last modified so many seconds earlier.
    pub fn age(&self, relative: &str, seconds: u32) {
        let path = format!("/-/age/{seconds}{}", self.key(relative));
        assert_eq!(request("PUT", &path, b"").0, 200, "{relative}");
    }

    /// Holds the next `count` puts of objects with this prefix.
    pub fn hold(&self, count: usize, relative: &str) -> Hold {
        let key = self.key(relative);
        assert_eq!(request("PUT", &format!("/-/hold/{count}{key}"), b"").0, 200);
        Hold { key }
    }
}

/// Held puts.
pub struct Hold {
    key: String,
}

impl Hold {
    /// Waits until all of them have arrived.
    pub fn arrived(&self) {
        let (status, _) = request("PUT", &format!("/-/arrived{}", self.key), b"");
        assert_eq!(status, 200, "no put of {}", self.key);
    }

    /// Lets them proceed, one after another.
    pub fn release(self) {
        request("PUT", &format!("/-/release{}", self.key), b"");
    }
}

/// Returns billstream with a store on the server.
pub fn on_s3(location: &str) -> Billstream {
    settings()
        .iter()
        .fold(Billstream::new(location), |b, (name, value)| {
            b.env(name, value)
        })
}

/// Environment variables for clients of the server.
pub fn settings() -> [(&'static str, String); 5] {
    [
        (
            "AWS_ENDPOINT_URL",
            format!("http://127.0.0.1:{}", server().port),
        ),
        ("AWS_ALLOW_HTTP", "true".into()),
        ("AWS_ACCESS_KEY_ID", "test".into()),
        ("AWS_SECRET_ACCESS_KEY", "test-secret-access-key".into()),
        ("AWS_REGION", "us-east-1".into()),
    ]
}
