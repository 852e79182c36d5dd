//! A store that stops responding: a signal ends the run in time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::LEASE;
use super::server::{Bucket, settings};
use crate::support::MONTH;

/// A proxy that can stop passing bytes on, in both directions.
struct Proxy {
    url: String,
    is_stalled: Arc<AtomicBool>,
}

impl Proxy {
    fn to(server: &str) -> Proxy {
        let server = server.trim_start_matches("http://").to_string();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let is_stalled = Arc::new(AtomicBool::new(false));
        let shared = is_stalled.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&server).unwrap();
                pass_on(
                    client.try_clone().unwrap(),
                    server.try_clone().unwrap(),
                    &shared,
                );
                pass_on(server, client, &shared);
            }
        });
        Proxy { url, is_stalled }
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, is_stalled: &Arc<AtomicBool>) {
    let is_stalled = is_stalled.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 65_536];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            while is_stalled.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(5));
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}

#[test]
fn signals_end_a_run_on_a_store_that_does_not_respond() {
    let endpoint = settings()
        .into_iter()
        .find(|(name, _)| *name == "AWS_ENDPOINT_URL");
    let endpoint = endpoint.unwrap().1;
    for (signals, name) in [(1, "stalled-once"), (2, "stalled-twice")] {
        let bucket = Bucket::new(name, "store");
        let proxy = Proxy::to(&endpoint);
        let (confluent, connections) = crate::ends::silent_server();
        let billstream = bucket
            .billstream()
            .env("AWS_ENDPOINT_URL", &proxy.url)
            .env("CONFLUENT_CLOUD_REST_ENDPOINT", &confluent)
            .env("CONFLUENT_CLOUD_API_KEY", "key")
            .env("CONFLUENT_CLOUD_API_SECRET", "secret");
        let running = billstream.spawn(&["import", "--month", MONTH]);
        let connected = connections.recv_timeout(Duration::from_secs(60));
        assert!(connected.is_ok(), "the run asks Confluent");
        proxy.is_stalled.store(true, Ordering::Release);
        let started = Instant::now();
        running.signal("TERM");
        if signals == 2 {
            // The first signal must be received as one.
            std::thread::sleep(Duration::from_secs(1));
            running.signal("TERM");
        }
        let output = running.wait().code(4);
        let took = started.elapsed();
        if signals == 2 {
            output.says(&["stopped at once by SIGTERM", "expires by itself"]);
            assert!(took < Duration::from_secs(8), "{took:?}");
        } else {
            output.says(&["stopped by SIGTERM", "Could not release the lease"]);
            assert!(took < Duration::from_secs(20), "{took:?}");
        }
        assert!(bucket.get(LEASE).is_some(), "nothing reached the store");
    }
}
