//! Resources of the synthetic organization, and the meters that bill them.

use crate::sandbox::data::catalog::{LINES, Measure};
use crate::sandbox::data::money::push_decimal;
use crate::sandbox::data::usage::{Discount, Level, Meter};

/// Environments: id and name. Costs carry the id alone.
pub const ENVIRONMENTS: [(&str, &str); 5] = [
    ("env-k2m9d", "production"),
    ("env-s4t7q", "staging"),
    ("env-d3v1x", "développement"),
    ("env-an9ly", "analytics, shared"),
    ("env-0ld11", "legacy"),
];

/// Who is billed, as far as costs and the inventory both say it.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its id, such as `lkc-7aa01x`; empty for costs without a resource.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// Id of its environment.
    pub environment: String,
    /// `network_access_type` of its costs.
    pub network: &'static str,
    /// Line types of its costs.
    pub line_types: Vec<&'static str>,
}

/// The meter of one line type of a resource.
pub fn meter(
    line: usize,
    price: u64,
    typical: u64,
    discount: Discount,
    level: Level,
    resource: &Resource,
) -> Meter {
    let facts = &LINES[line];
    let network = resource.network;
    let mut head = format!(
        r#","granularity":"DAILY","network_access_type":"{network}","product":"{}","line_type":"{}","price":"#,
        facts.product, facts.line_type
    )
    .into_bytes();
    push_decimal(&mut head, price as i64, 10);
    head.extend_from_slice(format!(r#","unit":"{}","quantity":"#, facts.unit).as_bytes());
    let tail = if resource.id.is_empty() {
        "}".to_owned()
    } else {
        let Resource {
            id,
            name,
            environment,
            ..
        } = resource;
        let name = escaped(name);
        format!(
            r#","resource":{{"id":"{id}","display_name":"{name}","environment":{{"id":"{environment}"}}}}}}"#
        )
    };
    Meter {
        line,
        price,
        base: if facts.measure == Measure::Count {
            typical
        } else {
            typical * 100_000_000
        },
        discount,
        level,
        with_id: false,
        head: head.into(),
        tail: tail.into_bytes().into(),
    }
}

/// `text` as it stands between the quotes of a JSON string.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace('\n', r"\n")
}
