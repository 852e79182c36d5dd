//! Which connections there are, and whose the environment's key is.

use super::Person;
use crate::support::{Billstream, MONTH, Output, Sandbox};

const WARNING: &str = "Environment variables apply to no configured connection";

/// Two sandboxes, and a file with a connection to each: `acme`, and `globex`.
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

/// Asserts that a connection's month is what its sandbox has.
fn assert_is(person: &Person, name: &str, sandbox: &Sandbox) {
    let store = person.home().join("billstream-data");
    let billstream = Billstream::on(&store).connection(name);
    billstream.assert_month_is(MONTH, &sandbox.totals(MONTH));
}

#[test]
fn the_environment_alone_makes_the_connection_confluent() {
    let (sandbox, person) = (Sandbox::start(&[]), Person::new());
    let person = Person {
        billstream: person.billstream.from(&sandbox),
        ..person
    };
    let output = import(&person, &[]).ok();
    assert_eq!(output.status("published")["connection"], "confluent");
    assert_is(&person, "confluent", &sandbox);
    // A file that configures none changes nothing of that.
    person.configure("[import]\nsettle_days = 17\n");
    import(&person, &[]).ok().status("unchanged");
    // Another name for it.
    let person = person.env("BILLSTREAM_CONNECTION", "acme");
    assert_eq!(import(&person, &[]).ok().period()["connection"], "acme");
}

#[test]
fn without_a_key_it_is_told_how_to_come_by_one() {
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
fn all_that_are_configured_run_and_each_has_its_own_costs() {
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
fn one_that_is_named_runs_alone() {
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
fn the_environments_key_is_not_used_for_those_that_are_configured() {
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
    // A flag names the connection, and hands it nothing.
    import(&person, &["--connection", "acme"])
        .ok()
        .status("unchanged");
    // The variable that is there for it does.
    let person = person.env("BILLSTREAM_CONNECTION", "acme");
    let person = person.env("BILLSTREAM_RETRY_ATTEMPTS", "1");
    import(&person, &[])
        .code(7)
        .says(&["Using the key from CONFLUENT_CLOUD_API_KEY", "127.0.0.1:1"]);
}

#[test]
fn a_connection_called_confluent_takes_the_environments_key_over_its_own() {
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
fn one_that_is_not_configured_can_be_named_beside_those_that_are() {
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
fn a_command_about_one_connection_asks_which() {
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
