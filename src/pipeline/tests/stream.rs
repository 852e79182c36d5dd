//! Deliveries to the sandbox's stream, where CloudZero's document and guide disagree, and rehearsals.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::cloudzero::client;
use crate::error::ErrorKind;
use crate::http::Timeouts;
use crate::http::retry::{Policy, Timing};
use crate::pipeline::deliver::delivery::{Delivery, DeliveryStatus};
use crate::pipeline::deliver::destinations::{DestinationConfig, Destinations};
use crate::pipeline::deliver::rehearsal::Rehearsal;
use crate::pipeline::deliver::{self, DeliverOptions, stream};
use crate::sandbox::{AcceptedMonths, Dialect};

const STREAM: &str = "sandbox-stream";
const MEMORY: &str = "runs/connections/acme/cloudzero.json";
const DATETIME: &str = "2026-10-01T00:00:00Z";

/// A published month and a sandbox's CloudZero.
struct Stage {
    scenario: Scenario,
    sandbox: Sandbox,
}

impl Stage {
    async fn new(dialect: Dialect, faults: &[&str]) -> Stage {
        let options = sandbox::Options {
            dialect,
            faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
            ..sandbox_on("2026-11-23")
        };
        let scenario = Scenario::new();
        for (name, bytes) in published().await {
            scenario.store.put(name, bytes.clone()).await.unwrap();
        }
        Stage {
            scenario,
            sandbox: Sandbox::start(options).await,
        }
    }

    /// The same store, with another CloudZero.
    async fn moved_to(self, dialect: Dialect) -> Stage {
        let options = sandbox::Options {
            dialect,
            ..sandbox_on("2026-11-23")
        };
        Stage {
            sandbox: Sandbox::start(options).await,
            ..self
        }
    }

    /// Context of a run that delivers to the stream and never waits.
    async fn run(&self) -> RunContext {
        let settings = client::Settings {
            endpoint: self.sandbox.url.parse().unwrap(),
            key: "sandbox-cloudzero-key".into(),
            timeouts: Timeouts::default(),
            policy: Policy::default(),
        };
        let timing = Timing {
            sleep: Arc::new(|_| Box::pin(std::future::ready(()))),
            random: Arc::new(|| 0.5),
            ..Timing::real()
        };
        let config = DestinationConfig {
            stream: Some(STREAM.to_string()),
            api: Some(settings),
            read_back: Duration::from_secs(10),
            ..DestinationConfig::default()
        };
        let run = self.scenario.at(NOW);
        let destinations = Destinations::resolve(&config, &run.store, "acme", timing);
        RunContext {
            destinations: destinations.await.unwrap(),
            ..run
        }
    }

    async fn deliver(&self) -> Result<Delivery, crate::error::Error> {
        let run = self.run().await;
        let tables = Tables::open(&run).await.unwrap();
        let options = DeliverOptions {
            by_name: true,
            ..DeliverOptions::default()
        };
        let mut done = deliver::deliver(&run, &tables, period(MONTH), options).await;
        match done.errors.pop() {
            Some(error) => Err(error),
            None => Ok(done.completed.remove(0)),
        }
    }

    #[track_caller]
    fn assert_status(delivery: Result<Delivery, crate::error::Error>, status: DeliveryStatus) {
        assert_eq!(delivery.unwrap().status, status);
    }

    async fn rehearse(&self) -> Result<Delivery, crate::error::Error> {
        let run = self.run().await;
        let tables = Tables::open(&run).await.unwrap();
        let rehearsal = Rehearsal::of_destination(&run).unwrap();
        rehearsal
            .rehearse(&run, &tables, period(MONTH), false)
            .await
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.sandbox.url);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Rows of the month in the stream.
    async fn rows(&self) -> u64 {
        let holds = self.get("/sandbox/cloudzero/holds?month=2026-10").await;
        holds["rows"].as_u64().unwrap()
    }

    async fn fired(&self, fault: &str) -> u64 {
        let status = self.get("/sandbox/status").await;
        status["fired"][fault].as_u64().unwrap()
    }

    async fn requests(&self) -> Vec<Value> {
        let requests = self.get("/sandbox/cloudzero/requests").await;
        requests.as_array().unwrap().clone()
    }

    /// Method, form of the month and status of the requests with a month, in order.
    async fn months(&self) -> Vec<(String, String, u64)> {
        let requests = self.requests().await;
        let with_month = requests.iter().filter(|r| r["month_sent"].is_string());
        let text = |value: &Value| value.as_str().unwrap().to_string();
        with_month
            .map(|r| {
                let is_validation = text(&r["path"]).ends_with("validate_billing_drop");
                let method = if is_validation {
                    "validate".to_string()
                } else {
                    text(&r["method"])
                };
                (
                    method,
                    text(&r["month_sent"]),
                    r["status"].as_u64().unwrap(),
                )
            })
            .collect()
    }

    async fn objects(&self) -> Objects {
        objects_of(&self.scenario.store).await
    }

    /// Remembered forms in bodies and paths.
    async fn memory(&self) -> Option<(String, String)> {
        let bytes = self.scenario.store.get(MEMORY).await.unwrap()?;
        let memory: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(memory["billing_connection"], STREAM);
        let form = |name: &str| memory["months"][name].as_str().unwrap().to_string();
        Some((form("body"), form("path")))
    }
}

/// Objects of a store by name.
type Objects = BTreeMap<String, bytes::Bytes>;

async fn objects_of(store: &Store) -> Objects {
    let mut objects = BTreeMap::new();
    for name in store.list("").await.unwrap() {
        let bytes = store.get(&name).await.unwrap().unwrap();
        objects.insert(name, bytes);
    }
    objects
}

/// Objects of a store with the month, imported once.
async fn published() -> &'static Objects {
    static PUBLISHED: tokio::sync::OnceCell<Objects> = tokio::sync::OnceCell::const_new();
    let import = async {
        let sandbox = Sandbox::start(sandbox_on("2026-11-23")).await;
        let scenario = Scenario::new();
        let import = ImportOptions {
            no_deliver: true,
            ..options(named(&[MONTH]))
        };
        run_import(scenario.at(NOW), &sandbox, import).await;
        objects_of(&scenario.store).await
    };
    PUBLISHED.get_or_init(|| import).await
}

fn months_are(bodies: AcceptedMonths, paths: AcceptedMonths) -> Dialect {
    Dialect {
        months_in_bodies: bodies,
        months_in_paths: paths,
        ..Dialect::default()
    }
}

fn expected(requests: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
    let owned = |(method, month, status): &(&str, &str, u64)| {
        (method.to_string(), month.to_string(), *status)
    };
    requests.iter().map(owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_forms_of_months_are_accepted_at_once_and_not_remembered() {
    for dialect in [
        Dialect::default(),
        months_are(AcceptedMonths::Datetime, AcceptedMonths::YearMonth),
    ] {
        let stage = Stage::new(dialect, &[]).await;
        Stage::assert_status(stage.deliver().await, DeliveryStatus::Delivered);
        let requests = [
            ("GET", MONTH, 404),
            ("validate", DATETIME, 200),
            ("POST", DATETIME, 200),
            ("GET", MONTH, 200),
        ];
        assert_eq!(stage.months().await, expected(&requests));
        assert_eq!(stage.memory().await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_forms_of_months_are_found_and_remembered() {
    let dialect = months_are(AcceptedMonths::YearMonth, AcceptedMonths::Datetime);
    let stage = Stage::new(dialect, &[]).await;
    Stage::assert_status(stage.deliver().await, DeliveryStatus::Delivered);
    let first = [
        ("GET", MONTH, 400),
        ("GET", DATETIME, 404),
        ("validate", DATETIME, 200),
        ("validate", MONTH, 200),
        ("POST", MONTH, 200),
        ("GET", DATETIME, 200),
    ];
    assert_eq!(stage.months().await, expected(&first));
    let remembered = Some(("year-month".to_string(), "datetime".to_string()));
    assert_eq!(stage.memory().await, remembered);

    // Later runs ask in the remembered forms.
    let run = stage.run().await;
    stream::clear(&run, period(MONTH), false).await.unwrap();
    Stage::assert_status(stage.deliver().await, DeliveryStatus::Delivered);
    let later = [
        ("POST", MONTH, 200),
        ("GET", DATETIME, 200),
        ("validate", MONTH, 200),
        ("POST", MONTH, 200),
        ("GET", DATETIME, 200),
    ];
    assert_eq!(stage.months().await[first.len()..], expected(&later));
    assert_eq!(stage.memory().await, remembered);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_in_bodies_is_found_without_validation() {
    let dialect = months_are(AcceptedMonths::YearMonth, AcceptedMonths::Any);
    let stage = Stage::new(dialect, &[]).await;
    let run = stage.run().await;
    stream::clear(&run, period(MONTH), false).await.unwrap();
    let requests = [("POST", DATETIME, 400), ("POST", MONTH, 200)];
    assert_eq!(stage.months().await, expected(&requests));
    let requests = stage.requests().await;
    let keys: Vec<&Value> = requests.iter().map(|r| &r["idempotency_key"]).collect();
    let posts = &keys[keys.len() - 2..];
    assert_ne!(posts[0], posts[1], "the refusal is stored under its key");
    let remembered = Some(("year-month".to_string(), "year-month".to_string()));
    assert_eq!(stage.memory().await, remembered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_memory_heals() {
    let dialect = months_are(AcceptedMonths::YearMonth, AcceptedMonths::Datetime);
    let stage = Stage::new(dialect, &[]).await;
    Stage::assert_status(stage.deliver().await, DeliveryStatus::Delivered);
    let dialect = months_are(AcceptedMonths::Datetime, AcceptedMonths::YearMonth);
    let stage = stage.moved_to(dialect).await;
    Stage::assert_status(stage.deliver().await, DeliveryStatus::Delivered);
    let healed = Some(("datetime".to_string(), "year-month".to_string()));
    assert_eq!(stage.memory().await, healed);

    // An unreadable memory is none.
    stage.scenario.store.put(MEMORY, "{").await.unwrap();
    Stage::assert_status(stage.deliver().await, DeliveryStatus::Unchanged);
    let dialect = months_are(AcceptedMonths::YearMonth, AcceptedMonths::Datetime);
    let stage = stage.moved_to(dialect).await;
    Stage::assert_status(stage.deliver().await, DeliveryStatus::Delivered);
    let remembered = Some(("year-month".to_string(), "datetime".to_string()));
    assert_eq!(stage.memory().await, remembered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fails_in_both_forms_is_reported_and_nothing_remembered() {
    let stage = Stage::new(Dialect::default(), &["cz-400:2:after=3"]).await;
    let error = stage.deliver().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("HTTP 400"), "{error}");
    assert_eq!(stage.fired("cz-400").await, 2);
    assert_eq!(stage.memory().await, None);
    assert_eq!(stage.rows().await, 0);
    Stage::assert_status(stage.deliver().await, DeliveryStatus::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn months_with_credits_are_sent_although_the_validator_refuses_signs() {
    let dialect = Dialect {
        refuses_signs: true,
        ..Dialect::default()
    };
    let stage = Stage::new(dialect, &[]).await;
    let delivery = stage.deliver().await.unwrap();
    assert_eq!(delivery.status, DeliveryStatus::Delivered);
    assert_eq!(stage.rows().await, delivery.rows);
    // The second validation is that of the body without signs.
    let requests = [
        ("GET", MONTH, 404),
        ("validate", DATETIME, 200),
        ("validate", DATETIME, 200),
        ("POST", DATETIME, 200),
        ("GET", MONTH, 200),
    ];
    assert_eq!(stage.months().await, expected(&requests));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_objection_behind_those_to_signs_stops_the_delivery() {
    let dialect = Dialect {
        refuses_signs: true,
        ..Dialect::default()
    };
    let stage = Stage::new(dialect, &["cz-invalid:1:after=3"]).await;
    let error = stage.deliver().await.unwrap_err();
    assert_eq!(stage.fired("cz-invalid").await, 1);
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(error.to_string().contains("invalid on purpose"), "{error}");
    assert_eq!(stage.rows().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_changes_nothing() {
    let dialect = months_are(AcceptedMonths::YearMonth, AcceptedMonths::Datetime);
    let stage = Stage::new(dialect, &[]).await;
    let before = stage.objects().await;
    let rehearsed = stage.rehearse().await.unwrap();
    assert_eq!(rehearsed.status, DeliveryStatus::Rehearsed);
    assert_eq!(rehearsed.parts, 1);
    assert_eq!(stage.objects().await, before);
    assert_eq!(stage.rows().await, 0);
    let requests = stage.requests().await;
    let keys: Vec<&Value> = requests
        .iter()
        .filter(|r| r["method"] == "POST")
        .map(|r| &r["test_key"])
        .collect();
    assert!(keys.len() >= 2, "{requests:?}");
    let expected = format!("billstream-{}", "80000000".repeat(4));
    assert!(keys.iter().all(|key| **key == expected), "{keys:?}");
    let delivered = stage.deliver().await.unwrap();
    assert_eq!(delivered.status, DeliveryStatus::Delivered);
    assert_eq!(
        (delivered.rows, delivered.bytes),
        (rehearsed.rows, rehearsed.bytes)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_waits_for_cloudzero_and_fails_if_it_shows_another_month() {
    let stage = Stage::new(Dialect::default(), &["cz-late"]).await;
    let rehearsed = stage.rehearse().await.unwrap();
    assert_eq!(rehearsed.status, DeliveryStatus::Rehearsed);
    assert_eq!(stage.fired("cz-late").await, 1);

    let stage = Stage::new(Dialect::default(), &["cz-corrupt"]).await;
    let before = stage.objects().await;
    let error = stage.rehearse().await.unwrap_err();
    assert_eq!(stage.fired("cz-corrupt").await, 1);
    assert_eq!(error.kind(), ErrorKind::Reconcile);
    assert!(error.to_string().contains("CloudZero holds"), "{error}");
    assert_eq!(stage.objects().await, before);
    assert_eq!(stage.rows().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rehearsal_fails_if_cloudzero_changes_the_real_month() {
    let dialect = Dialect {
        ignores_test_keys: true,
        ..Dialect::default()
    };
    let stage = Stage::new(dialect, &[]).await;
    let error = stage.rehearse().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Reconcile);
    assert!(error.to_string().contains("changed during"), "{error}");
    assert!(error.hint().unwrap().contains("do not rehearse"));
    // The next one sees that it stays as it is.
    let again = stage.rehearse().await.unwrap();
    assert_eq!(again.status, DeliveryStatus::Rehearsed);
}
