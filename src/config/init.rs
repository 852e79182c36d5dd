//! A configuration file to begin with: every setting in a comment, with its default and its variable.

use crate::config::settings::{ALL, CONNECTION, Key, Kind};

const HEAD: &str = "\
# Settings of billstream. A flag wins over an environment variable, that over this file, and this file over the
# defaults, which stand here. `billstream config show` says what counts and where it comes from. Paths in this file are
# taken from its folder.

";

const CONNECTIONS: &str = "
# A connection is one Confluent organization with its key, under a name of lower-case letters, digits, - and _.
# `billstream connections add confluent --name acme` writes one. The variables below are about the connection that
# BILLSTREAM_CONNECTION names, else about the one called confluent.
#
# key and secret are each { env = \"VARIABLE\" }, { file = \"PATH\" } or { keyring = \"ENTRY\" }; a file must be one that
# only its owner may read.

#[connections.acme]
";

const SOURCES: &str = "
# Other cost data for queries: a file, a folder or a pattern at a path or URL (BILLSTREAM_SOURCES: name=place, …).

#[sources]
#aws = \"s3://acme-billing/cur/\"
";

/// The file's text.
pub fn text() -> String {
    let mut text = HEAD.to_string();
    let mut table = "";
    for key in ALL.iter().filter(|key| key.table != CONNECTION) {
        if key.table != table {
            table = key.table;
            text.push_str(&format!("\n[{table}]\n"));
        }
        text.push_str(&setting(key));
    }
    text.push_str(CONNECTIONS);
    for key in ALL.iter().filter(|key| key.table == CONNECTION) {
        text.push_str(&setting(key));
    }
    text.push_str(SOURCES);
    text
}

fn setting(key: &Key) -> String {
    let about = key.about;
    let variable = match key.variable {
        "" => String::new(),
        variable => format!(" ({variable})"),
    };
    let value = match (key.kind, key.default) {
        (Kind::Secret, _) if key.variable.is_empty() => "{ keyring = \"acme\" }".to_string(),
        (Kind::Secret, _) => format!("{{ env = \"{}\" }}", key.variable),
        (Kind::Whole { .. } | Kind::Seconds { .. } | Kind::Switch, default) => default.to_string(),
        (_, default) => format!("{default:?}"),
    };
    format!("# {about}{variable}\n#{} = {value}\n", key.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::{ConfigFile, NAME};
    use crate::config::{Config, Environment, Flags, secret};

    fn read(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        secret::write_private(&path, text).unwrap();
        ConfigFile::read(&path).unwrap();
        let flags = Flags {
            config: Some(path),
            ..Flags::default()
        };
        Config::of(flags, Environment::default()).unwrap()
    }

    #[test]
    fn the_file_changes_nothing_and_every_setting_is_in_it() {
        let commented = read(&text());
        assert!(commented.configured().is_empty());
        for key in ALL {
            let mark = format!("\n#{} = ", key.name);
            assert!(text().contains(&mark), "{}", key.name);
        }
        assert!(!commented.is_given(&crate::config::settings::STORE));
    }

    #[test]
    fn its_settings_are_right_once_they_are_no_comments() {
        let lines = text();
        let lines = lines.lines().map(|line| match line.strip_prefix('#') {
            // A setting has no space after the mark.
            Some(setting) if !setting.starts_with(' ') => setting,
            _ => line,
        });
        let all: String = lines.map(|line| format!("{line}\n")).collect();
        let config = read(&all);
        assert_eq!(config.configured(), ["acme"]);
        assert_eq!(config.sources(), ["aws=s3://acme-billing/cur/"]);
        for key in ALL
            .iter()
            .filter(|key| key.kind != Kind::Secret && !key.default.is_empty())
        {
            let connection = key.is_of_connection().then_some("acme");
            let value = config.value(key, connection).unwrap();
            let there = |text: &str| text.ends_with(key.default.trim_start_matches("./"));
            match key.kind {
                Kind::Path => assert!(there(&value.text), "{}", value.text),
                _ => assert_eq!(value.text, key.default, "{}", key.name),
            }
            value.check().unwrap();
        }
    }
}
