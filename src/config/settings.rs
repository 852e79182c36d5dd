//! Every setting: where it stands in the file, which variable sets it, what it is when nobody says.
//!
//! The file's reader, `config show`, `config init` and the errors all go by this list.

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A path or a URL; a path in the file is taken from the file's folder.
    Path,
    /// A whole number.
    Whole {
        /// What it counts, as errors name it.
        of: &'static str,
        /// The least.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// Seconds, perhaps with a fraction, a year at most.
    Seconds {
        /// Whether 0 makes sense.
        may_be_zero: bool,
    },
    /// `true` or `false`.
    Switch,
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// A text that nobody should read, by the place that holds it.
    Secret,
}

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The table of the file; empty for the top, [`CONNECTION`] for each connection's.
    pub table: &'static str,
    /// Its name in the table; units are in it.
    pub name: &'static str,
    /// The environment variable; empty where there is none.
    pub variable: &'static str,
    /// What it is when nobody says; empty for nothing.
    pub default: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it means, in a line.
    pub about: &'static str,
}

/// The table of a connection, in the place of its name.
pub const CONNECTION: &str = "connections.NAME";

impl Key {
    /// Where it stands in the file: `import.settle_days`, `connections.acme.currency`.
    pub fn path(&self, connection: Option<&str>) -> String {
        match (self.table, connection) {
            ("", _) => self.name.to_string(),
            (CONNECTION, Some(connection)) => format!("connections.{connection}.{}", self.name),
            (table, _) => format!("{table}.{}", self.name),
        }
    }

    /// Whether each connection has its own.
    pub fn is_of_connection(&self) -> bool {
        self.table == CONNECTION
    }
}

macro_rules! keys {
    ($($constant:ident: $table:expr, $name:literal, $variable:literal, $default:literal, $kind:expr, $about:literal;)*) => {
        $(
            #[doc = $about]
            pub const $constant: Key = Key {
                table: $table, name: $name, variable: $variable, default: $default, kind: $kind, about: $about,
            };
        )*
        /// All settings, as the file has them.
        pub const ALL: &[Key] = &[$($constant),*];
    };
}

const TIMEOUT: Kind = Kind::Seconds { may_be_zero: false };
const PATIENCE: Kind = Kind::Seconds { may_be_zero: true };

const fn whole(of: &'static str, least: u64, most: u64) -> Kind {
    Kind::Whole { of, least, most }
}

keys! {
    STORE: "", "store", "BILLSTREAM_STORE", "./billstream-data", Kind::Path,
        "Folder or s3:// URL under which everything lies";
    SQL_DIR: "", "sql_dir", "BILLSTREAM_SQL_DIR", "", Kind::Path,
        "Folder of SQL overrides, views, reports and source formats";
    TAGS: "", "tags", "BILLSTREAM_TAGS", "", Kind::Path,
        "CSV file of tags and owners, at a path or URL";

    SETTLE_DAYS: "import", "settle_days", "BILLSTREAM_SETTLE_DAYS", "17", whole("days", 0, 3660),
        "Days after a month's end from which a pull settles it";
    CONCURRENCY: "import", "windows_at_once", "BILLSTREAM_CONCURRENCY", "4", whole("windows", 1, 64),
        "Windows of a month read at once";
    CONNECTIONS_AT_ONCE: "import", "connections_at_once", "BILLSTREAM_CONNECTIONS_AT_ONCE", "2", whole("connections", 1, 64),
        "Connections imported side by side";
    PAGE_SIZE: "import", "page_size", "BILLSTREAM_PAGE_SIZE", "10000", whole("costs", 1, 10_000),
        "Costs a page";

    MEMORY_MB: "limits", "memory_mb", "BILLSTREAM_MEMORY_MB", "128", whole("megabytes", 64, 1_000_000),
        "Megabytes that the engine's operators may hold (256 for questions, unless this is set)";
    QUERY_TIMEOUT_SECS: "limits", "query_timeout_secs", "BILLSTREAM_QUERY_TIMEOUT_SECS", "600", TIMEOUT,
        "Seconds that a query may take";

    CONNECT_TIMEOUT_SECS: "http", "connect_timeout_secs", "BILLSTREAM_CONNECT_TIMEOUT_SECS", "10", TIMEOUT,
        "Seconds to open a connection";
    READ_TIMEOUT_SECS: "http", "read_timeout_secs", "BILLSTREAM_READ_TIMEOUT_SECS", "60", TIMEOUT,
        "Seconds without a single byte";
    TOTAL_TIMEOUT_SECS: "http", "total_timeout_secs", "BILLSTREAM_TOTAL_TIMEOUT_SECS", "300", TIMEOUT,
        "Seconds for one request, its body included";
    RETRY_ATTEMPTS: "http", "retry_attempts", "BILLSTREAM_RETRY_ATTEMPTS", "8", whole("attempts", 1, 1000),
        "Attempts for one page or request";
    RETRY_ELAPSED_SECS: "http", "retry_elapsed_secs", "BILLSTREAM_RETRY_ELAPSED_SECS", "300", PATIENCE,
        "Seconds since the first attempt up to which another one may start";
    REQUESTS_PER_SECOND: "http", "requests_per_second", "BILLSTREAM_REQUESTS_PER_SECOND", "10", whole("requests", 1, 100_000),
        "Requests a second to Confluent, retries included";

    CLOUDZERO_ENDPOINT: "cloudzero", "endpoint", "CLOUDZERO_API_URL", "https://api.cloudzero.com", Kind::Text,
        "Where CloudZero's API is; plain http only to this computer";
    CLOUDZERO_API_KEY: "cloudzero", "api_key", "CLOUDZERO_API_KEY", "", Kind::Secret,
        "CloudZero's API key";
    GRANULARITY: "cloudzero", "granularity", "BILLSTREAM_GRANULARITY", "daily", Kind::OneOf(&["daily", "hourly"]),
        "hourly spreads each day over its hours when it is delivered";
    READ_BACK_SECS: "cloudzero", "read_back_secs", "BILLSTREAM_READ_BACK_SECS", "60", PATIENCE,
        "Seconds that a delivery waits until CloudZero shows it";

    KEY: CONNECTION, "key", "CONFLUENT_CLOUD_API_KEY", "", Kind::Secret,
        "Cloud API key";
    SECRET: CONNECTION, "secret", "CONFLUENT_CLOUD_API_SECRET", "", Kind::Secret,
        "Its secret";
    CREDENTIALS: CONNECTION, "credentials", "", "", Kind::Secret,
        "Key and secret together, as `connections add` stores them";
    ENDPOINT: CONNECTION, "endpoint", "CONFLUENT_CLOUD_REST_ENDPOINT", "https://api.confluent.cloud", Kind::Text,
        "Where Confluent's API is; plain http only to this computer";
    CLOUD_PROVIDER: CONNECTION, "cloud_provider", "BILLSTREAM_CLOUD_PROVIDER", "Confluent", Kind::Text,
        "Label in CloudZero's Cloud Provider dimension";
    CURRENCY: CONNECTION, "currency", "BILLSTREAM_CURRENCY", "USD", Kind::Text,
        "Shown, never converted; delivered in USD only";
    BUCKET: CONNECTION, "bucket", "BILLSTREAM_BUCKET", "", Kind::Path,
        "Bucket target: a folder or s3:// URL, else cloudzero/NAME in the store";
    STREAM: CONNECTION, "stream", "CLOUDZERO_CONNECTION_ID", "", Kind::Text,
        "CloudZero's id of the stream to deliver to";
    INVENTORY: CONNECTION, "inventory", "BILLSTREAM_INVENTORY", "false", Kind::Switch,
        "Ask Confluent for names and regions, which takes the role Operator";
    EXPECTED_INTERVAL_HOURS: CONNECTION, "expected_interval_hours", "BILLSTREAM_EXPECTED_INTERVAL_HOURS", "36", whole("hours", 1, 100_000),
        "Hours without data after which the connection is late";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_variables_are_of_one_setting_each() {
        for (at, key) in ALL.iter().enumerate() {
            for other in &ALL[at + 1..] {
                assert_ne!(key.path(None), other.path(None));
                assert!(key.variable.is_empty() || key.variable != other.variable);
            }
        }
        assert_eq!(CURRENCY.path(Some("acme")), "connections.acme.currency");
    }
}
