//! Single stages of an import: `cargo bench --bench stages`.
//!
//! The input is a month of 100,000 costs from the sandbox. `benches/import.py` measures whole imports.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "benches may panic"
)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use billstream::billing_period::{BillingPeriod, Window};
use billstream::cloudzero::request_bodies::{MAX_BODY_BYTES, RequestBatcher};
use billstream::cloudzero::{csv, drop, rows};
use billstream::confluent::client::{Client, Settings, next_token};
use billstream::confluent::costs::decode::{Identities, decode_page};
use billstream::engine::Limits;
use billstream::engine::sql_files::SqlFiles;
use billstream::pipeline::deliver::destinations::Destinations;
use billstream::pipeline::deliver::source::PublishedLineItems;
use billstream::pipeline::enrich::attributes::EnrichmentInputs;
use billstream::pipeline::transform::check;
use billstream::pipeline::{HeldLease, RunContext, StageOptions, pull, transform};
use billstream::sandbox;
use billstream::store::Store;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compression, write::GzEncoder};
use tokio::runtime::Runtime;

const COSTS_PER_DAY: usize = 100_000 / 31;

fn october() -> BillingPeriod {
    "2026-10".parse().unwrap()
}

/// Client of a sandbox in this process.
async fn client() -> Arc<Client> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let endpoint = sandbox::base_url(&listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let options = sandbox::Options {
        today: "2026-11-23".parse().unwrap(),
        costs_per_day: COSTS_PER_DAY,
        ..sandbox::Options::default()
    };
    let mut settings = Settings::new(endpoint, options.key.clone(), options.secret.clone());
    settings.requests_per_second = 1000;
    tokio::spawn(sandbox::serve(listener, options));
    Arc::new(Client::new(settings).unwrap())
}

fn context(folder: &Path, options: StageOptions) -> Arc<RunContext> {
    Arc::new(RunContext {
        run: "bench".into(),
        connection: "bench".into(),
        cloud_provider: "Confluent".into(),
        currency: "USD".into(),
        store: Store::open(&folder.display().to_string()).unwrap(),
        sql: Arc::new(SqlFiles::load(None).unwrap()),
        limits: Limits::default(),
        destinations: Destinations::default(),
        clock: Arc::new(|| "2026-11-23T06:00:00Z".parse().unwrap()),
        progress: Arc::new(|_| {}),
        options,
        lease: HeldLease::default(),
    })
}

/// Texts of all pages of a window.
async fn pages(client: &Client, window: Window) -> Vec<String> {
    let mut texts = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let read =
            move |text: &str| decode_page(text, window).map(|page| (text.to_string(), page.next));
        let (text, next) = client
            .costs_page(window, token.as_deref(), read)
            .await
            .unwrap();
        texts.push(text);
        token = next_token(next.as_deref()).unwrap();
        if token.is_none() {
            return texts;
        }
    }
}

/// A file of tags whose rules name a resource each.
fn exact_rules() -> String {
    let rules = (0..10_000).map(|n| format!("lkc-{n:06x},team-{}\n", n % 20));
    std::iter::once("resource,team\n".to_string())
        .chain(rules)
        .collect()
}

/// A file of tags whose rules have wildcards.
fn patterns() -> String {
    let rules = (0..3_000).map(|n| format!("*-{n:04}-*,team-{}\n", n % 20));
    std::iter::once("name,team\n".to_string())
        .chain(rules)
        .collect()
}

fn stages(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let with_options = |options| context(folder.path(), options);
    let context = with_options(StageOptions::default());
    let client = runtime.block_on(client());
    let window = october().window();
    let texts = runtime.block_on(pages(&client, window));
    let bytes: usize = texts.iter().map(String::len).sum();

    let mut group = criterion.benchmark_group("decode");
    group
        .sample_size(10)
        .throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("pages to batches, one thread", |bencher| {
        bencher.iter(|| {
            let mut identities = Identities::new("bench");
            for text in &texts {
                let page = decode_page(text, window).ok().unwrap();
                black_box(identities.identify(page).unwrap());
            }
        });
    });
    group.finish();

    let pulled = runtime.block_on(async {
        pull::pull(&context, &client, october(), &[])
            .await
            .ok()
            .unwrap()
    });
    let attributes = runtime.block_on(async {
        let inputs = EnrichmentInputs::read(&context, &[]).await.unwrap();
        inputs
            .of_month(&context, october(), &pulled.files)
            .await
            .unwrap()
    });
    let mut group = criterion.benchmark_group("tags");
    group.sample_size(10);
    for (rules, text) in [
        ("10,000 exact", exact_rules()),
        ("3,000 patterns", patterns()),
    ] {
        let file = folder.path().join("tags.csv");
        std::fs::write(&file, text).unwrap();
        let context = with_options(StageOptions {
            tags: Some(file.display().to_string()),
            ..StageOptions::default()
        });
        group.bench_function(
            format!("{rules} rules to the resources of a month"),
            |bencher| {
                bencher.to_async(&runtime).iter(|| async {
                    let inputs = EnrichmentInputs::read(&context, &[]).await.unwrap();
                    let found = inputs.of_month(&context, october(), &pulled.files).await;
                    black_box(found.unwrap());
                });
            },
        );
    }
    group.finish();

    let costs = pulled.digest.count();
    let mut group = criterion.benchmark_group("month");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(costs));
    group.bench_function("transform to Parquet", |bencher| {
        bencher
            .to_async(&runtime)
            .iter(|| transform::transform(&context, october(), &pulled.files, &attributes, &[]));
    });
    let items = runtime
        .block_on(transform::transform(
            &context,
            october(),
            &pulled.files,
            &attributes,
            &[],
        ))
        .unwrap();
    group.bench_function("checks", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            check::check_all(&context, october(), &pulled.files, &pulled.totals, &items)
                .await
                .unwrap();
        });
    });
    let published = PublishedLineItems {
        run: &context,
        period: october(),
        columns: items.columns.clone(),
        files: items.files.clone(),
        record: None,
    };
    group.bench_function("drop, read back", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let mut streams = Vec::new();
            for file in &published.files {
                let frame = published.line_items(std::slice::from_ref(file), 1).await;
                streams.push(frame.unwrap().execute_stream().await.unwrap());
            }
            drop::write(&context.store, "bench", streams, true)
                .await
                .unwrap()
        });
    });
    group.finish();

    let batches: Vec<RecordBatch> = runtime.block_on(async {
        let frame = published.line_items(&published.files, 1).await.unwrap();
        frame.collect().await.unwrap()
    });
    let mut text = Vec::new();
    for batch in &batches {
        csv::write_rows(&mut text, batch, 0, batch.num_rows()).unwrap();
    }
    let mut group = criterion.benchmark_group("csv");
    group
        .sample_size(10)
        .throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("rows to text, one thread", |bencher| {
        let mut out = Vec::with_capacity(text.len());
        bencher.iter(|| {
            out.clear();
            for batch in &batches {
                csv::write_rows(&mut out, batch, 0, batch.num_rows()).unwrap();
            }
        });
    });
    group.bench_function("rows to request bodies, one thread", |bencher| {
        bencher.iter(|| {
            // Each row gets a separate hour, in the order of the input.
            let (mut packer, mut hour) = (RequestBatcher::new(october(), MAX_BODY_BYTES), 0);
            for batch in &batches {
                rows::each_row(batch, |_, row| {
                    hour += 1;
                    black_box(packer.push(hour, row)?);
                    Ok(())
                })
                .unwrap();
            }
        });
    });
    for level in [1, 2, 4, 6] {
        group.bench_function(format!("gzip level {level}, one thread"), |bencher| {
            bencher.iter(|| {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::new(level));
                std::io::Write::write_all(&mut gzip, &text).unwrap();
                black_box(gzip.finish().unwrap().len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
