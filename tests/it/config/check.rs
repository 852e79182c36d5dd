//! `config check`: reads everything, reports every problem, and connects to nothing.

use super::Person;
use crate::connections::chmod;
use crate::support::{Sandbox, names_below};

const CHECK: [&str; 2] = ["config", "check"];

#[test]
fn accepts_a_good_configuration_without_requests() {
    let (sandbox, person) = (Sandbox::start(&[]), Person::new());
    let url = sandbox.url();
    person.write("sql/reports/mine.sql", "-- Mine.\nselect 1 as one\n");
    person.write("tags.csv", "resource,team\nlkc-1,core\n");
    person.configure(&format!(
        "store = \"s3://acme/billing\"\nsql_dir = \"../../sql\"\ntags = \"../../tags.csv\"\n[cloudzero]\nendpoint = \"{url}\"\n\
         api_key = {{ env = \"CZ\" }}\n[connections.acme]\nendpoint = \"{url}\"\nkey = {{ env = \"A\" }}\n\
         secret = {{ env = \"B\" }}\nstream = \"conn-1\"\n[connections.globex]\nendpoint = \"{url}\"\n\
         key = {{ env = \"A\" }}\nsecret = {{ env = \"B\" }}\n"
    ));
    let person = person
        .env("A", "sandbox-key")
        .env("B", "not-right")
        .env("CZ", "k");
    let before = names_below(person.home());
    person
        .run(&CHECK)
        .ok()
        .says(&["configuration is valid for acme, globex"]);
    assert_eq!(sandbox.requests(), 0);
    assert_eq!(
        sandbox.cloudzero_requests(),
        Vec::<serde_json::Value>::new()
    );
    assert_eq!(names_below(person.home()), before);
}

#[test]
fn reports_every_problem_once() {
    let (sandbox, person) = (Sandbox::start(&[]), Person::new());
    let url = sandbox.url();
    person.write("sql/models/line_items.sql", "select 1");
    let secret = person.write(".config/billstream/open", "5ecret");
    chmod(&secret, 0o644);
    person.configure(&format!(
        "sql_dir = \"../../sql\"\n[limits]\nmemory_mb = 1\nquery_timeout_secs = -1\n[cloudzero]\ngranularity = \"weekly\"\n\
         [connections.acme]\nendpoint = \"{url}\"\ncurrency = \"dollars\"\nkey = {{ env = \"NOT_THERE\" }}\n\
         secret = {{ file = \"open\" }}\n[connections.globex]\nendpoint = \"http://billing.example\"\nkey = \"k\"\n\
         secret = \"s5ecret\"\n[connections.initech]\nstream = \"no id\"\n"
    ));
    let output = person.run(&CHECK).code(3).says(&[
        "line 3: memory_mb = `1`",
        "line 4: query_timeout_secs = `-1`",
        "line 6: granularity = `weekly`",
        "line 9: currency = `dollars`",
        "the key of connection `acme`: NOT_THERE is not set",
        "chmod 600",
        "is plain http",
        "`initech` has no key",
    ]);
    assert!(
        output.stderr.matches("error: ").count() >= 8,
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("5ecret"), "{}", output.stderr);
    assert_eq!(output.stderr.matches("memory_mb = `1`").count(), 1);
    assert_eq!(sandbox.requests(), 0);
}

#[test]
fn rejects_locations_and_endpoints_that_no_run_accepts() {
    let person = Person::new().env("CZ", "5ecret");
    person.configure(
        "store = \"ftp://x\"\ntags = \"ftp://x/t.csv\"\n\
         [cloudzero]\nendpoint = \"http://cloudzero.example\"\napi_key = { env = \"CZ\" }\n\
         [connections.acme]\nkey = { env = \"CZ\" }\nsecret = { env = \"CZ\" }\nbucket = \"gs://b/x\"\n",
    );
    let output = person.run(&CHECK).code(3);
    let output = output.says(&[
        "scheme `ftp` is not supported",
        "scheme `gs` is not supported",
        "is plain http",
    ]);
    assert_eq!(output.stderr.matches("scheme `ftp`").count(), 2);
    person.configure(
        "[http]\nread_timeout_secs = 0\ntotal_timeout_secs = 1e19\nretry_elapsed_secs = 0\n",
    );
    let output = person.run(&CHECK).code(3).says(&[
        "line 2: read_timeout_secs = `0` is not a number of seconds, from more than 0",
        "line 3: total_timeout_secs",
    ]);
    assert!(
        !output.stderr.contains("retry_elapsed_secs"),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("5ecret"), "{}", output.stderr);
}

#[test]
fn checks_the_environment_without_a_file() {
    let person = Person::new();
    person.run(&CHECK).code(3).says(&[
        "CONFLUENT_CLOUD_API_KEY is not set",
        "connections add confluent",
        "import --demo",
    ]);
    let person = person
        .env("CONFLUENT_CLOUD_API_KEY", "k")
        .env("CONFLUENT_CLOUD_API_SECRET", "s");
    person
        .run(&CHECK)
        .ok()
        .says(&["configuration is valid for confluent"]);
    let person = person.env("BILLSTREAM_RETRY_ATTEMPTS", "many");
    person
        .run(&CHECK)
        .code(3)
        .says(&["BILLSTREAM_RETRY_ATTEMPTS=`many`"]);
}

#[test]
fn rejects_malformed_credentials_without_echoing_them() {
    for (key, secret, says) in [
        ("k e5ecret", "s", "white space"),
        ("k", "s 5ecret", "white space"),
        ("k:5ecret", "s", "colon"),
    ] {
        let person = Person::new()
            .env("CONFLUENT_CLOUD_API_KEY", key)
            .env("CONFLUENT_CLOUD_API_SECRET", secret);
        let output = person.run(&CHECK).code(3).says(&[says]);
        assert!(!output.stderr.contains("5ecret"), "{}", output.stderr);
    }
}
