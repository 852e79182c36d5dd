//! `--param`: values bound to `$name`, with the type that they look like.

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
fn values_have_the_type_that_they_look_like() {
    let (_store, billstream) = store();
    for (value, kind, text) in [
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
        let sql = "select arrow_typeof($v) as kind, $v as value";
        let output = with(&billstream, sql, &[&parameter]).ok();
        assert_eq!(
            output.stdout,
            format!("kind,value\n{kind},{text}\n"),
            "{value}"
        );
    }
}

#[test]
fn they_compare_as_literals_do() {
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
fn a_missing_value_is_told_and_one_too_many_is_fine() {
    let (_store, billstream) = store();
    let output = with(&billstream, "select $month as m", &["day=1"]).code(2);
    assert_eq!(
        output.stderr,
        "error: the parameter $month has no value\nhint: give it with --param month=…\n"
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
fn what_is_no_parameter_is_told() {
    let (_store, billstream) = store();
    for (parameter, said) in [
        ("month", "`month` is not name=value"),
        ("=1", "`` cannot name a parameter"),
        ("a b=1", "`a b` cannot name a parameter"),
    ] {
        with(&billstream, "select 1", &[parameter])
            .code(2)
            .says(&[said, "hint:"]);
    }
}
