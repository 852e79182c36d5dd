//! Which name was meant by one that there is not.

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
    fn the_nearest_is_found_and_a_far_one_is_not() {
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
