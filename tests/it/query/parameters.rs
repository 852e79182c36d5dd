//! `--param`: values bound to `$name`, text unless they have a type.

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
fn text_stays_text_unless_a_type_is_given() {
    let (_store, billstream) = store();
    for (parameter, data_type, text) in [
        ("v=007", "Utf8", "007"),
        ("v=null", "Utf8", "null"),
        ("v=1e5", "Utf8", "1e5"),
        ("v='7'", "Utf8", "'7'"),
        ("v=", "Utf8", ""),
        ("v=a=b", "Utf8", "a=b"),
        ("v=it's; drop table costs", "Utf8", "it's; drop table costs"),
        ("v:int=007", "Int64", "7"),
        ("v:decimal=0.10", "\"Decimal128(38, 24)\"", "0.1"),
        ("v:bool=true", "Boolean", "true"),
        ("v:date=2026-10-01", "Date32", "2026-10-01"),
        ("v:null=", "Null", ""),
    ] {
        let sql = "select arrow_typeof($v) as data_type, $v as value";
        let output = with(&billstream, sql, &[parameter]).ok();
        assert_eq!(
            output.stdout,
            format!("data_type,value\n{data_type},{text}\n"),
            "{parameter}"
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
        ("amount > $x", "amount > 1.5", vec!["x=15e-1"]),
        (
            "amount > $x and line_type = $y",
            "amount > 5 and line_type = '5'",
            vec!["x=5", "y=5"],
        ),
        (
            "start_date > $d",
            "start_date > '2026-10-07'",
            vec!["d:date=2026-10-07"],
        ),
        (
            "resource_id = $r and amount > $r2",
            "resource_id = 'x' and amount > 1",
            vec!["r=x", "r2=1"],
        ),
        (
            "resource_id is not distinct from $r",
            "resource_id is null",
            vec!["r:null="],
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
        ("n:int=1.5", "the parameter `n` is not an int: `1.5`"),
        (
            "n:number=1",
            "the parameter `n` has the unknown type `number`",
        ),
        (
            "n=many",
            "the parameter $n is used as a number, which `many` is not",
        ),
        (
            "n:text=1",
            "the parameter $n is the text `1`, but is used as a number",
        ),
    ] {
        with(
            &billstream,
            "select 1 from costs where amount > $n",
            &[parameter],
        )
        .code(2)
        .says(&[expected, "hint:"]);
    }
}
