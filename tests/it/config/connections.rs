//! Configured connections, and the connection that uses the environment's key.

use super::Person;
use crate::support::{Billstream, MONTH, Output, Sandbox};

const WARNING: &str = "Environment variables apply to no configured connection";

/// Two sandboxes and a file with a connection to each: `acme` and `globex`.
fn two() -> (Sandbox, Sandbox, Person) {
    let sandboxes = [Sandbox::start(&[]), Sandbox::start(&["--seed", "7"])];
    let person = Person::new()
        .env("KEY", "sandbox-key")
        .env("SECRET", "sandbox-secret");
    let of = |name: &str, sandbox: &Sandbox| {
        let url = sandbox.url();
        format!(
            "[connections.{name}]\nendpoint = \"{url}\"\nkey = {{ env = \"KEY\" }}\nsecret = {{ env = \"SECRET\" }}\n"
        )
    };
    person.configure(&(of("acme", &sandboxes[0]) + &of("globex", &sandboxes[1])));
    let [acme, globex] = sandboxes;
    (acme, globex, person)
}

fn import(person: &Person, flags: &[&str]) -> Output {
    let arguments = ["import", "--month", MONTH, "--format", "json"];
    person.run(&[&arguments[..], flags].concat())
}

/// Asserts that a connection's month equals its sandbox's totals.
fn assert_is(person: &Person, name: &str, sandbox: &Sandbox) {
    let store = person.home().join("billstream-data");
    let billstream = Billstream::on(&store).connection(name);
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn environment_alone_configures_the_connection_confluent() {
    let (sandbox, person) = (Sandbox::start(&[]), Person::new());
    let person = Person {
        billstream: person.billstream.from(&sandbox),
        ..person
    };
    let output = import(&person, &[]).ok();
    assert_eq!(output.status("published")["connection"], "confluent");
    assert_is(&person, "confluent", &sandbox);
    // A file without connections changes nothing.
    person.configure("[import]\nsettle_days = 17\n");
    import(&person, &[]).ok().status("unchanged");
    let person = person.env("BILLSTREAM_CONNECTION", "acme");
    let output = import(&person, &["--allow-same-organization"]).ok();
    assert_eq!(output.period()["connection"], "acme");
}

#[test]
fn missing_key_explains_how_to_create_one() {
    let person = Person::new();
    import(&person, &[]).code(3).says(&[
        "CONFLUENT_CLOUD_API_KEY is not set",
        "Cloud resource management",
        "BillingAdmin",
        "connections add confluent",
    ]);
    let person = person.env("CONFLUENT_CLOUD_API_KEY", "k");
    import(&person, &[])
        .code(3)
        .says(&["CONFLUENT_CLOUD_API_SECRET is not set"]);
}

#[test]
fn imports_each_configured_connection_with_its_own_costs() {
    let (acme, globex, person) = two();
    let output = import(&person, &[]).ok();
    let connections = output.json()["connections"].clone();
    let names: Vec<_> = connections
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["connection"].clone())
        .collect();
    assert_eq!(names, ["acme", "globex"]);
    assert_is(&person, "acme", &acme);
    assert_is(&person, "globex", &globex);
    assert_ne!(acme.totals(MONTH).net, globex.totals(MONTH).net);
}

#[test]
fn imports_only_the_named_connection() {
    let (acme, globex, person) = two();
    import(&person, &["--connection", "globex"])
        .ok()
        .status("published");
    assert_eq!(acme.requests(), 0);
    assert_is(&person, "globex", &globex);
    let asked = globex.requests();
    let person = person.env("BILLSTREAM_CONNECTION", "acme");
    import(&person, &[]).ok().status("published");
    assert_eq!(globex.requests(), asked);
    import(&person, &["--connection", "globexx"])
        .code(3)
        .says(&["there is no connection `globexx`", "did you mean `globex`?"]);
}

#[test]
fn configured_connections_do_not_use_the_environments_key() {
    let (acme, globex, person) = two();
    let person = person
        .env("CONFLUENT_CLOUD_API_KEY", "env-key")
        .env("CONFLUENT_CLOUD_API_SECRET", "env-5ecret")
        .env("CONFLUENT_CLOUD_REST_ENDPOINT", "http://127.0.0.1:1");
    let output = import(&person, &[]).ok().says(&[
        WARNING,
        "CONFLUENT_CLOUD_API_KEY",
        "CONFLUENT_CLOUD_API_SECRET",
        "CONFLUENT_CLOUD_REST_ENDPOINT",
        "BILLSTREAM_CONNECTION",
    ]);
    assert!(!output.stderr.contains("5ecret"), "{}", output.stderr);
    assert_is(&person, "acme", &acme);
    assert_is(&person, "globex", &globex);
    // A flag selects the connection without the environment's credentials.
    import(&person, &["--connection", "acme"])
        .ok()
        .status("unchanged");
    // The variable selects it with them.
    let person = person.env("BILLSTREAM_CONNECTION", "acme");
    let person = person.env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    import(&person, &[])
        .code(7)
        .says(&["Using the key from CONFLUENT_CLOUD_API_KEY", "127.0.0.1:1"]);
}

#[test]
fn connection_confluent_prefers_the_environments_key() {
    let sandbox = Sandbox::start(&[]);
    let person = Person::new();
    person.configure("[connections.confluent]\nkey = \"k\"\nsecret = \"s\"\ncurrency = \"USD\"\n");
    let person = Person {
        billstream: person.billstream.from(&sandbox),
        ..person
    };
    let output = import(&person, &[]).ok();
    let output = output.says(&[
        "Using the key from CONFLUENT_CLOUD_API_KEY instead of the one in the configuration file",
    ]);
    assert!(!output.stderr.contains(WARNING), "{}", output.stderr);
    assert_is(&person, "confluent", &sandbox);
}

#[test]
fn an_unconfigured_connection_can_be_named_beside_configured_ones() {
    let (_acme, _globex, person) = two();
    let third = Sandbox::start(&["--seed", "9"]);
    let person = Person {
        billstream: person.billstream.from(&third),
        ..person
    };
    let output = import(&person, &["--connection", "initech"]).ok();
    assert_eq!(output.status("published")["connection"], "initech");
    assert_is(&person, "initech", &third);
}

#[test]
fn a_command_for_one_connection_requires_its_name() {
    let (_acme, _globex, person) = two();
    let add = ["targets", "add", "cloudzero", "--bucket", "s3://acme/x"];
    person.run(&add).code(2).says(&[
        "there are several connections",
        "--connection: acme, globex",
    ]);
    person
        .run(&[&add[..], &["--connection", "acme"]].concat())
        .ok();
}
