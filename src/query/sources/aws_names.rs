//! Column names of the legacy Cost and Usage Report in CSV, as its Parquet files have them.

/// Column by which the report is recognized.
const COST: &str = "lineItem/UnblendedCost";
/// Tags keep their keys.
const TAGS: &str = "resourceTags/";

/// Names such as `lineItem/UsageType` as `line_item_usage_type`, if they are those of the report.
pub(super) fn in_snake_case(names: Vec<String>) -> Vec<String> {
    if !names.iter().any(|name| name == COST) {
        return names;
    }
    names
        .into_iter()
        .map(|name| match name.strip_prefix(TAGS) {
            Some(key) => format!("resource_tags_{key}"),
            None => snake_case(&name),
        })
        .collect()
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        match c {
            'A'..='Z' => out.push(c.to_ascii_lowercase()),
            'a'..='z' | '0'..='9' => out.push(c),
            _ if !out.ends_with('_') => out.push('_'),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_parquet_files() {
        let names = [
            ("identity/LineItemId", "identity_line_item_id"),
            ("lineItem/UnblendedCost", "line_item_unblended_cost"),
            ("product/region", "product_region"),
            ("product/productFamily", "product_product_family"),
            (
                "reservation/ReservationARN",
                "reservation_reservation_a_r_n",
            ),
            (
                "resourceTags/user:CostCenter",
                "resource_tags_user:CostCenter",
            ),
        ];
        let given = names.iter().map(|(name, _)| name.to_string()).collect();
        let expected: Vec<_> = names.iter().map(|(_, name)| *name).collect();
        assert_eq!(in_snake_case(given), expected);
        let others = vec!["resource/Id".to_string()];
        assert_eq!(in_snake_case(others.clone()), others);
    }
}
