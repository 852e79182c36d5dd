//! Suggestions for misspelled names.

/// Returns the most similar of `names`, if any is similar enough to be a misspelling of `name`.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let similarity = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let whole = strsim::jaro_winkler(&name, &candidate);
        // A part may match: `cost` suggests `cost/cost`, and `resource` suggests `resource/id`.
        let parts = candidate.split(['/', '_', ':']);
        let part = parts.map(|part| strsim::jaro_winkler(&name, part) - 0.1);
        part.fold(whole, f64::max)
    };
    names
        .map(|candidate| (similarity(candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.len().cmp(&a.1.len())))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_similar_names_only() {
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
