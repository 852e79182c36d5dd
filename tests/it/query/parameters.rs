//! `--param`: values bound to `$name`, with a type inferred from their text.

use super::store;
use crate::support::{Billstream, Output};

fn with(billstream: &Billstream, sql: &str, parameters: &[&str]) -> Output {
    let mut arguments = vec!["query", "--format", "csv", sql];
    for parameter in parameters {
        arguments.extend(["--param", parameter]);
    }
    billstream.run(&arguments)
}

#[test]
fn value_types_are_inferred_from_their_text() {
    let (_store, billstream) = store();
    for (value, data_type, text) in [
        ("7", "Int64", "7"),
        ("-7", "Int64", "-7"),
        ("0.10", "\"Decimal128(38, 24)\"", "0.1"),
        ("'7'", "Utf8", "7"),
        ("2026-10", "Utf8", "2026-10"),
        ("2026-10-01", "Utf8", "2026-10-01"),
        ("true", "Boolean", "true"),
        ("null", "Null", ""),
        ("", "Utf8", ""),
        ("a=b", "Utf8", "a=b"),
        ("it's; drop table costs", "Utf8", "it's; drop table costs"),
    ] {
        let parameter = format!("v={value}");
        let sql = "select arrow_typeof($v) as data_type, $v as value";
        let output = with(&billstream, sql, &[&parameter]).ok();
        assert_eq!(
            output.stdout,
            format!("data_type,value\n{data_type},{text}\n"),
            "{value}"
        );
    }
}

#[test]
fn parameters_compare_like_literals() {
    let (_store, billstream) = store();
    let count = |condition: &str, parameters: &[&str]| {
        let sql = format!("select count(*) as n from costs where {condition}");
        with(&billstream, &sql, parameters).ok().stdout
    };
    for (bound, literal, parameters) in [
        (
            "billing_period = $m",
            "billing_period = '2026-10'",
            vec!["m=2026-10"],
        ),
        (
            "start_date = $d",
            "start_date = '2026-10-07'",
            vec!["d=2026-10-07"],
        ),
        (
            "start_date between $a and $b",
            "start_date between '2026-10-01' and '2026-10-07'",
            vec!["a=2026-10-01", "b=2026-10-07"],
        ),
        (
            "original_amount = $x",
            "original_amount = 5.5656",
            vec!["x=5.5656"],
        ),
        ("amount > $x", "amount > 5", vec!["x=5"]),
        (
            "resource_id = $r and amount > $r2",
            "resource_id = 'x' and amount > 1",
            vec!["r=x", "r2=1"],
        ),
        (
            "resource_id is not distinct from $r",
            "resource_id is null",
            vec!["r=null"],
        ),
    ] {
        assert_eq!(count(bound, &parameters), count(literal, &[]), "{bound}");
    }
    assert_ne!(count("original_amount = $x", &["x=5.5656"]), "n\n0\n");
}

#[test]
fn missing_value_is_an_error_and_an_extra_one_is_ignored() {
    let (_store, billstream) = store();
    let output = with(&billstream, "select $month as m", &["day=1"]).code(2);
    assert_eq!(
        output.stderr,
        "error: the parameter $month has no value\nhint: pass --param month=…\n"
    );
    let output = with(&billstream, "select $month as m", &["month=1", "day=2"]).ok();
    assert_eq!(output.stdout, "m\n1\n");
    let several = with(
        &billstream,
        "select $a as a; select $b as b",
        &["a=1", "b=x"],
    )
    .ok();
    assert_eq!(several.stdout, "a\n1\nb\nx\n");
}

#[test]
fn malformed_parameters_are_rejected() {
    let (_store, billstream) = store();
    for (parameter, expected) in [
        ("month", "`month` is not name=value"),
        ("=1", "invalid parameter name ``"),
        ("a b=1", "invalid parameter name `a b`"),
    ] {
        with(&billstream, "select 1", &[parameter])
            .code(2)
            .says(&[expected, "hint:"]);
    }
}
