//! Forms of a month in requests.
//!
//! CloudZero's published document and its guide disagree: in request bodies the document wants a datetime and the guide
//! shows `2026-10`; in the path of a read-back the document describes `2026-10` with the pattern of a datetime. A request
//! that one form fails is sent in the other one, and the accepted form is remembered.

use serde::{Deserialize, Serialize};

use crate::billing_period::BillingPeriod;

/// Form of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MonthForm {
    /// First moment of the month, such as `2026-10-01T00:00:00Z`.
    Datetime,
    /// `2026-10`.
    YearMonth,
}

impl MonthForm {
    /// Returns the other form.
    pub(crate) fn other(self) -> MonthForm {
        match self {
            MonthForm::Datetime => MonthForm::YearMonth,
            MonthForm::YearMonth => MonthForm::Datetime,
        }
    }

    /// Formats a month.
    pub(crate) fn format(self, period: BillingPeriod) -> String {
        match self {
            MonthForm::Datetime => format!("{}T00:00:00Z", period.first_day()),
            MonthForm::YearMonth => period.to_string(),
        }
    }
}

/// Forms that a billing connection accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MonthForms {
    /// In request bodies.
    pub(crate) body: MonthForm,
    /// In the path of a read-back.
    pub(crate) path: MonthForm,
}

impl Default for MonthForms {
    /// The forms to ask in first: the guide's `2026-10` is a prefix of the document's datetime in a body; the guide
    /// and the document's description agree on the path.
    fn default() -> Self {
        MonthForms {
            body: MonthForm::Datetime,
            path: MonthForm::YearMonth,
        }
    }
}

/// Sends a request in the remembered form and, if that is refused, once in the other one, which is remembered when it
/// is not refused too. If both are, the first outcome stands.
pub(crate) async fn send_in_either_form<T>(
    form: &mut MonthForm,
    is_refused: impl Fn(&T) -> bool,
    send: impl AsyncFn(MonthForm) -> T,
) -> T {
    let first = send(*form).await;
    if !is_refused(&first) {
        return first;
    }
    let second = send(form.other()).await;
    if is_refused(&second) {
        return first;
    }
    *form = form.other();
    second
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn formats_months_in_both_forms() {
        let october: BillingPeriod = "2026-10".parse().unwrap();
        assert_eq!(MonthForm::Datetime.format(october), "2026-10-01T00:00:00Z");
        assert_eq!(MonthForm::YearMonth.format(october), "2026-10");
        for form in [MonthForm::Datetime, MonthForm::YearMonth] {
            assert_eq!(form.other().other(), form);
            assert_ne!(form.other(), form);
        }
    }

    /// Sends to a server that accepts these forms; returns the forms sent, the remembered one and the outcome.
    async fn send(accepted: &[MonthForm]) -> (Vec<MonthForm>, MonthForm, Result<(), MonthForm>) {
        let sent = RefCell::new(Vec::new());
        let mut form = MonthForm::Datetime;
        let outcome = send_in_either_form(
            &mut form,
            |outcome: &Result<(), MonthForm>| outcome.is_err(),
            async |form| {
                sent.borrow_mut().push(form);
                if accepted.contains(&form) {
                    Ok(())
                } else {
                    Err(form)
                }
            },
        )
        .await;
        (sent.into_inner(), form, outcome)
    }

    #[tokio::test]
    async fn asks_once_in_the_other_form_and_remembers_the_accepted_one() {
        use MonthForm::{Datetime, YearMonth};
        let both = vec![Datetime, YearMonth];
        assert_eq!(
            send(&[Datetime, YearMonth]).await,
            (vec![Datetime], Datetime, Ok(()))
        );
        assert_eq!(send(&[YearMonth]).await, (both.clone(), YearMonth, Ok(())));
        assert_eq!(send(&[]).await, (both, Datetime, Err(Datetime)));
    }
}
