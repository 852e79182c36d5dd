//! Names in SQL: how they are written, and which one was meant.

/// Line items of the store and of the sources.
pub const ALL: &str = "all_line_items";
/// A name as SQL takes it, whatever its characters.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name as SQL needs it: in quotes only where it must be.
pub fn as_identifier(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(plain) {
        name.to_string()
    } else {
        quoted(name)
    }
}

/// What could have been meant: the nearest name, or the names that there are.
pub fn near(name: &str, names: &[String], what: &str) -> Option<String> {
    if let Some(nearest) = nearest(name, names.iter().map(String::as_str)) {
        return Some(format!("did you mean `{}`?", as_identifier(nearest)));
    }
    if names.is_empty() {
        return None;
    }
    let shown: Vec<_> = names
        .iter()
        .take(30)
        .map(|name| format!("`{}`", as_identifier(name)))
        .collect();
    let rest = if names.len() > 30 { ", …" } else { "" };
    Some(format!("{what}: {}{rest}", shown.join(", ")))
}

/// The name that is most like another, if one is like it at all.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let likeness = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let whole = strsim::jaro_winkler(&wanted, &candidate);
        // `cost` is like `cost/cost`, and `resource` like `resource/id`.
        let parts = candidate.split(['/', '_', ':']);
        let part = parts.map(|part| strsim::jaro_winkler(&wanted, part) - 0.1);
        part.fold(whole, f64::max)
    };
    names
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.len().cmp(&a.1.len())))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let names = [
            "cost/cost",
            "resource/id",
            "lineitem/type",
            "billing_period",
        ];
        let near = |name: &str| nearest(name, names.into_iter());
        assert_eq!(near("billing_perod"), Some("billing_period"));
        assert_eq!(near("cost"), Some("cost/cost"));
        assert_eq!(near("LINEITEM/TYPE"), Some("lineitem/type"));
        assert_eq!(near("zzz"), None);
    }
}
