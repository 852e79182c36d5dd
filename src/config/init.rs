//! Template of a configuration file: all settings, commented out, with default and environment variable.

use crate::config::settings::{ALL, CONNECTION, Setting, ValueType};

const HEAD: &str = "\
# Settings of billstream, commented out, with their defaults. A flag overrides an environment variable, which overrides
# this file. `billstream config show` lists the effective values and their origin. Relative paths start at the folder
# of this file.

";

const CONNECTIONS: &str = "
# A connection is one Confluent organization with its key, under a name of lower-case letters, digits, - and _.
# `billstream connections add confluent --name acme` writes one. The variables below apply to the connection that
# BILLSTREAM_CONNECTION names, or else to the one named confluent.
#
# key and secret are { env = \"VARIABLE\" }, { file = \"PATH\" } or { keyring = \"ENTRY\" }; only the owner of a file
# may have access to it.

#[connections.acme]
";

const SOURCES: &str = "
# Other cost data for queries: a path, a pattern or a URL (BILLSTREAM_SOURCES: name=location, …).

#[sources]
#aws = \"s3://acme-billing/cur/\"
";

/// Returns the text of the template.
pub(crate) fn text() -> String {
    let mut text = HEAD.to_string();
    let mut table = "";
    for entry in ALL.iter().filter(|s| s.table != CONNECTION) {
        if entry.table != table {
            table = entry.table;
            text.push_str(&format!("\n[{table}]\n"));
        }
        text.push_str(&setting(entry));
    }
    text.push_str(CONNECTIONS);
    for entry in ALL.iter().filter(|s| s.table == CONNECTION) {
        text.push_str(&setting(entry));
    }
    text.push_str(SOURCES);
    text
}

fn setting(setting: &Setting) -> String {
    let variable = match setting.variable {
        "" => String::new(),
        variable => format!(" ({variable})"),
    };
    let value = match (setting.value_type, setting.default) {
        (ValueType::Secret, _) if setting.variable.is_empty() => {
            "{ keyring = \"acme\" }".to_string()
        }
        (ValueType::Secret, _) => format!("{{ env = \"{}\" }}", setting.variable),
        (ValueType::Integer { .. } | ValueType::Seconds { .. } | ValueType::Boolean, default) => {
            default.to_string()
        }
        (_, default) => format!("{default:?}"),
    };
    let (description, name) = (setting.description, setting.name);
    format!("# {description}{variable}\n#{name} = {value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::{ConfigFile, FILE_NAME};
    use crate::config::{Config, Environment, Flags, private_file};

    fn read(text: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        private_file::write(&path, text).unwrap();
        ConfigFile::read(&path).unwrap();
        let flags = Flags {
            config: Some(path),
            ..Flags::default()
        };
        Config::of(flags, Environment::default()).unwrap()
    }

    #[test]
    fn template_lists_every_setting_and_sets_none() {
        let commented = read(&text());
        assert!(commented.configured().is_empty());
        for setting in ALL {
            let mark = format!("\n#{} = ", setting.name);
            assert!(text().contains(&mark), "{}", setting.name);
        }
        assert!(!commented.is_given(&crate::config::settings::STORE));
    }

    #[test]
    fn uncommented_template_sets_the_defaults() {
        let lines = text();
        let lines = lines.lines().map(|line| match line.strip_prefix('#') {
            // Settings have no space after the `#`, comments do.
            Some(setting) if !setting.starts_with(' ') => setting,
            _ => line,
        });
        let all: String = lines.map(|line| format!("{line}\n")).collect();
        let config = read(&all);
        assert_eq!(config.configured(), ["acme"]);
        assert_eq!(config.sources(), ["aws=s3://acme-billing/cur/"]);
        for setting in ALL
            .iter()
            .filter(|s| s.value_type != ValueType::Secret && !s.default.is_empty())
        {
            let connection = setting.is_per_connection().then_some("acme");
            let value = config.value(setting, connection).unwrap();
            let relative = setting.default.trim_start_matches("./");
            match setting.value_type {
                ValueType::Path => assert!(value.text.ends_with(relative), "{}", value.text),
                _ => assert_eq!(value.text, setting.default, "{}", setting.name),
            }
            value.check().unwrap();
        }
    }
}
