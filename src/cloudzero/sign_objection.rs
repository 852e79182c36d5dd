//! Recognition of validation errors that object to nothing but negative amounts.
//!
//! The pattern of amounts in CloudZero's published document, `^\d+(\.\d{1,})?$`, has no sign, although its guide sends
//! discounts and credits as negative amounts. A validator that follows the document refuses every month that has some.

/// Columns of amounts.
const AMOUNT_COLUMNS: [&str; 2] = ["cost/", "usage/amount"];
/// Beginnings of other columns' names, and words of objections to something else.
const OTHER_SUBJECTS: [&str; 11] = [
    "time/",
    "lineitem/",
    "resource/",
    "action/",
    "bill/",
    "k8s/",
    "usage/units",
    "month",
    "operation",
    "required",
    "missing",
];
const SIGN_WORDS: [&str; 6] = [
    "negative",
    "nonnegative",
    "positive",
    "sign",
    "signs",
    "signed",
];
const SIGN_PHRASES: [&str; 5] = [
    "less than the minimum of 0",
    "greater than or equal to 0",
    "less than 0",
    "at least 0",
    ">= 0",
];

/// Returns true if there are errors and each is about a negative amount.
///
/// Conservative: an error that names another column, or that does not show that a sign is its reason, is not.
pub(crate) fn are_about_signs<'e>(errors: impl IntoIterator<Item = &'e str>) -> bool {
    let mut errors = errors.into_iter().peekable();
    errors.peek().is_some() && errors.all(is_about_sign)
}

fn is_about_sign(error: &str) -> bool {
    let error = error.to_lowercase();
    if OTHER_SUBJECTS.iter().any(|other| error.contains(other)) {
        return false;
    }
    let names_amount = AMOUNT_COLUMNS.iter().any(|column| error.contains(column));
    // Amounts are sent as plain decimals, so that only a sign can fail the published pattern.
    let names_pattern = error.replace(r"\\", r"\").contains(r"^\d+(\.\d");
    let names_sign = error
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| SIGN_WORDS.contains(&word))
        || SIGN_PHRASES.iter().any(|phrase| error.contains(phrase));
    let shows_negative = shows_negative_amount(&error);
    (names_amount && (names_pattern || names_sign || shows_negative))
        || (shows_negative && (names_pattern || names_sign))
}

/// Returns true if a text contains a negative decimal, such as `'-1.5'`, that is no part of a date or an id.
fn shows_negative_amount(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_part_of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.^[".contains(&byte);
    text.match_indices('-').any(|(at, _)| {
        let starts_word = at == 0 || !is_part_of_word(bytes[at - 1]);
        let number: &str = text[at + 1..]
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()
            .unwrap_or_default();
        let number = number.trim_end_matches('.');
        let after = bytes.get(at + 1 + number.len());
        starts_word
            && number.starts_with(|c: char| c.is_ascii_digit())
            && !after.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-_:".contains(byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_objections_to_negative_amounts() {
        for error in [
            r"data[3]: cost/cost '-1.5' does not match '^\d+(\.\d{1,})?$'",
            r#"data.3.cost/cost: string "-1.5" does not match pattern "^\\d+(\\.\\d{1,})?$""#,
            r"'-0.000012' does not match '^\d+(\.\d{1,})?$'",
            r"data/12/cost/discounted_cost must match pattern ^\d+(\.\d+)?$",
            "data[0].cost/cost must not be negative",
            "row 7: cost/on_demand_cost: -12 is less than the minimum of 0",
            "cost/cost: Input should be greater than or equal to 0 (got -3.25)",
            "cost/cost: invalid value -3.",
            "usage/amount is signed",
        ] {
            assert!(are_about_signs([error]), "{error}");
        }
    }

    #[test]
    fn other_objections_are_not_about_signs() {
        for error in [
            "",
            "invalid on purpose",
            "data[0]: invalid on purpose",
            "cost/cost is not a plain decimal",
            r"data[3]: cost/cost '1e-7' does not match '[0-9]+'",
            "cost/cost is missing; amounts must not be negative",
            "data[0].lineitem/type: 'Refund' of -1.5 is not negative",
            r"month: '2026-10' does not match '^\d+(\.\d{1,})?$'",
            "time/usage_start '2026-10-01T00:00:00-05:30' is not in UTC",
            "resource/id must not be negative",
            "assigned cost/center is unknown",
            "data[-1] is not a row",
        ] {
            assert!(!are_about_signs([error]), "{error}");
        }
    }

    #[test]
    fn one_other_objection_counts() {
        let sign = "cost/cost must not be negative";
        assert!(are_about_signs([sign, sign]));
        assert!(!are_about_signs([sign, "data[0]: invalid on purpose"]));
        assert!(!are_about_signs([]));
    }

    #[test]
    fn finds_negative_amounts_but_no_dates_and_ids() {
        for text in ["-1", "'-1.5'", "value: -0.25,", "got -3."] {
            assert!(shows_negative_amount(text), "{text}");
        }
        for text in [
            "2026-10-01",
            "lkc-123",
            "1e-7",
            "-",
            "--",
            "-x",
            "a -5x",
            "05:00-05:30",
            " -05:30",
            "[0-9]",
        ] {
            assert!(!shows_negative_amount(text), "{text}");
        }
    }
}
