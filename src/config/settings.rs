//! Registry of all settings: position in the file, environment variable, default and description.
//!
//! The file parser, `config show`, `config init`, `docs/settings.md` and error messages all use this list.

/// Type and bounds of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    Text,
    /// A path or a URL; relative paths in the file start at the file's folder.
    Path,
    Integer {
        /// Plural noun for error messages.
        unit: &'static str,
        min: u64,
        max: u64,
    },
    /// Seconds, with a fraction if needed, one year at most.
    Seconds {
        zero_allowed: bool,
    },
    Boolean,
    OneOf(&'static [&'static str]),
    /// A reference to the secret; see [`crate::config::secret::SecretRef`].
    Secret,
}

/// Definition of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Table in the file; empty for the top level, [`CONNECTION`] for settings of each connection.
    pub table: &'static str,
    /// Name in the table, with the unit where there is one.
    pub name: &'static str,
    /// Environment variable; empty if there is none.
    pub variable: &'static str,
    /// Empty if there is none.
    pub default: &'static str,
    pub value_type: ValueType,
    /// One line for help and documentation.
    pub description: &'static str,
}

/// Table of a connection's settings, with a placeholder for its name.
pub(crate) const CONNECTION: &str = "connections.NAME";

impl Setting {
    /// Path in the file, such as `import.settle_days` or `connections.acme.currency`.
    pub(crate) fn path(&self, connection: Option<&str>) -> String {
        match (self.table, connection) {
            ("", _) => self.name.to_string(),
            (CONNECTION, Some(connection)) => format!("connections.{connection}.{}", self.name),
            (table, _) => format!("{table}.{}", self.name),
        }
    }

    /// Returns whether each connection has its own value.
    pub(crate) fn is_per_connection(&self) -> bool {
        self.table == CONNECTION
    }
}

macro_rules! settings {
    ($($constant:ident: $table:expr, $name:literal, $variable:literal, $default:literal, $value_type:expr, $description:literal;)*) => {
        $(
            #[doc = $description]
            pub(crate) const $constant: Setting = Setting {
                table: $table,
                name: $name,
                variable: $variable,
                default: $default,
                value_type: $value_type,
                description: $description,
            };
        )*
        /// All settings in file order.
        pub(crate) const ALL: &[Setting] = &[$($constant),*];
    };
}

const TIMEOUT: ValueType = ValueType::Seconds {
    zero_allowed: false,
};
const WAIT: ValueType = ValueType::Seconds { zero_allowed: true };

const fn integer(unit: &'static str, min: u64, max: u64) -> ValueType {
    ValueType::Integer { unit, min, max }
}

settings! {
    STORE: "", "store", "BILLSTREAM_STORE", "./billstream-data", ValueType::Path,
        "Folder or s3:// URL of the store";
    SINGLE_WRITER: "", "single_writer", "BILLSTREAM_SINGLE_WRITER", "false", ValueType::Boolean,
        "Use a server without conditional writes: a promise that only one run at a time writes to the store";
    STORE_PERMISSIONS: "", "store_permissions", "BILLSTREAM_STORE_PERMISSIONS", "private", ValueType::OneOf(&["private", "group"]),
        "Readers of a store in a folder: private for its owner, group for the owner's group as well";
    SQL_DIR: "", "sql_dir", "BILLSTREAM_SQL_DIR", "", ValueType::Path,
        "Folder of SQL overrides, views, reports and source formats";
    TAGS: "", "tags", "BILLSTREAM_TAGS", "", ValueType::Path,
        "Path or URL of the CSV file of tags and owners";

    SETTLE_DAYS: "import", "settle_days", "BILLSTREAM_SETTLE_DAYS", "17", integer("days", 0, 3660),
        "Days after a month's end from which a pull settles it";
    RECHECK_RECENT_DAYS: "import", "recheck_recent_days", "BILLSTREAM_RECHECK_RECENT_DAYS", "7", integer("days", 0, 3660),
        "Days between re-pulls of the two newest settled months (0 for never)";
    RECHECK_ALL_DAYS: "import", "recheck_all_days", "BILLSTREAM_RECHECK_ALL_DAYS", "30", integer("days", 0, 3660),
        "Days between re-pulls of the other settled months (0 for never)";
    HOLD_PERCENT: "import", "hold_percent", "BILLSTREAM_HOLD_PERCENT", "20", integer("percent", 1, 100),
        "Fall of a published day's net, in percent, above which its month is put on hold";
    HOLD_AMOUNT: "import", "hold_amount", "BILLSTREAM_HOLD_AMOUNT", "1", integer("units of the currency", 0, 1_000_000_000),
        "Smaller falls than this amount put no month on hold";
    CONCURRENCY: "import", "windows_at_once", "BILLSTREAM_CONCURRENCY", "4", integer("windows", 1, 64),
        "Windows of a month read in parallel";
    CONNECTIONS_AT_ONCE: "import", "connections_at_once", "BILLSTREAM_CONNECTIONS_AT_ONCE", "2", integer("connections", 1, 64),
        "Connections imported in parallel";
    PAGE_SIZE: "import", "page_size", "BILLSTREAM_PAGE_SIZE", "10000", integer("costs", 1, 10_000),
        "Costs per page";

    RATES: "query", "rates", "BILLSTREAM_RATES", "", ValueType::Path,
        "CSV file of exchange rates for reports: date, from, to, rate";

    MEMORY_MB: "limits", "memory_mb", "BILLSTREAM_MEMORY_MB", "128", integer("megabytes", 64, 1_000_000),
        "Memory pool of the query engine in megabytes (256 for queries unless set)";
    QUERY_TIMEOUT_SECS: "limits", "query_timeout_secs", "BILLSTREAM_QUERY_TIMEOUT_SECS", "600", TIMEOUT,
        "Time limit of a query in seconds";

    CONNECT_TIMEOUT_SECS: "http", "connect_timeout_secs", "BILLSTREAM_CONNECT_TIMEOUT_SECS", "10", TIMEOUT,
        "Time limit for opening a connection, in seconds";
    READ_TIMEOUT_SECS: "http", "read_timeout_secs", "BILLSTREAM_READ_TIMEOUT_SECS", "60", TIMEOUT,
        "Time limit without a received byte, in seconds";
    TOTAL_TIMEOUT_SECS: "http", "total_timeout_secs", "BILLSTREAM_TOTAL_TIMEOUT_SECS", "300", TIMEOUT,
        "Time limit of one request including its body, in seconds";
    RETRY_ATTEMPTS: "http", "retry_attempts", "BILLSTREAM_RETRY_ATTEMPTS", "8", integer("attempts", 1, 1000),
        "Attempts per page or request";
    RETRY_ELAPSED_SECS: "http", "retry_elapsed_secs", "BILLSTREAM_RETRY_ELAPSED_SECS", "300", WAIT,
        "Seconds after the first attempt within which a retry may start";
    REQUESTS_PER_SECOND: "http", "requests_per_second", "BILLSTREAM_REQUESTS_PER_SECOND", "50", integer("requests", 1, 100_000),
        "Most requests per second to Confluent, including retries; fewer when it says so";

    CLOUDZERO_ENDPOINT: "cloudzero", "endpoint", "CLOUDZERO_API_URL", "https://api.cloudzero.com", ValueType::Text,
        "URL of CloudZero's API; plain http only to loopback";
    CLOUDZERO_API_KEY: "cloudzero", "api_key", "CLOUDZERO_API_KEY", "", ValueType::Secret,
        "CloudZero API key";
    GRANULARITY: "cloudzero", "granularity", "BILLSTREAM_GRANULARITY", "daily", ValueType::OneOf(&["daily", "hourly"]),
        "Granularity of deliveries; hourly spreads each day over its hours";
    READ_BACK_SECS: "cloudzero", "read_back_secs", "BILLSTREAM_READ_BACK_SECS", "60", WAIT,
        "Seconds a delivery waits for CloudZero to show it";

    KEY: CONNECTION, "key", "CONFLUENT_CLOUD_API_KEY", "", ValueType::Secret,
        "Cloud API key";
    SECRET: CONNECTION, "secret", "CONFLUENT_CLOUD_API_SECRET", "", ValueType::Secret,
        "Cloud API secret";
    CREDENTIALS: CONNECTION, "credentials", "", "", ValueType::Secret,
        "Key and secret together, as stored by `connections add`";
    ENDPOINT: CONNECTION, "endpoint", "CONFLUENT_CLOUD_REST_ENDPOINT", "https://api.confluent.cloud", ValueType::Text,
        "URL of Confluent's API; plain http only to loopback";
    CLOUD_PROVIDER: CONNECTION, "cloud_provider", "BILLSTREAM_CLOUD_PROVIDER", "Confluent", ValueType::Text,
        "Label in CloudZero's Cloud Provider dimension";
    CURRENCY: CONNECTION, "currency", "BILLSTREAM_CURRENCY", "USD", ValueType::Text,
        "Currency of the amounts; never converted, delivered only if USD";
    BUCKET: CONNECTION, "bucket", "BILLSTREAM_BUCKET", "", ValueType::Path,
        "Bucket destination: a folder or s3:// URL; without it cloudzero/NAME in the store";
    STREAM: CONNECTION, "stream", "CLOUDZERO_CONNECTION_ID", "", ValueType::Text,
        "Stream destination: the id of the connection in CloudZero";
    INVENTORY: CONNECTION, "inventory", "BILLSTREAM_INVENTORY", "false", ValueType::Boolean,
        "List names and regions of resources; requires the role Operator";
    EXPECTED_INTERVAL_HOURS: CONNECTION, "expected_interval_hours", "BILLSTREAM_EXPECTED_INTERVAL_HOURS", "36", integer("hours", 1, 100_000),
        "Hours without new data after which the connection is late";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_variables_are_unique() {
        for (index, setting) in ALL.iter().enumerate() {
            for other in &ALL[index + 1..] {
                assert_ne!(setting.path(None), other.path(None));
                assert!(setting.variable.is_empty() || setting.variable != other.variable);
            }
        }
        assert_eq!(CURRENCY.path(Some("acme")), "connections.acme.currency");
    }
}
