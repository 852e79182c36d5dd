//! Checks of the proxies that the environment names. The HTTP library leaves out those that it does not support, and
//! would connect without one.

use url::Url;

use crate::error::{Error, Result};

/// Variables with the proxy of https requests, as the HTTP library reads them: the first one that is set counts.
const HTTPS_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// Those of plain http requests.
const HTTP_VARIABLES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
/// Variables with the hosts that no proxy is used for.
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Checks the proxy of requests to `endpoint`.
///
/// # Errors
/// Kind configuration, naming the variable, for a proxy that is not supported; the message does not quote it, as it may
/// hold a password.
pub(crate) fn check(endpoint: &Url) -> Result<()> {
    check_variables(endpoint, |name| {
        Some(std::env::var_os(name)?.to_string_lossy().into_owned())
    })
}

fn check_variables(endpoint: &Url, variable: impl Fn(&str) -> Option<String>) -> Result<()> {
    let set = |name: &'static str| {
        let value = variable(name)?;
        (!value.trim().is_empty()).then(|| (name, value.trim().to_owned()))
    };
    let variables = match endpoint.scheme() {
        "http" => HTTP_VARIABLES,
        _ => HTTPS_VARIABLES,
    };
    let Some((name, proxy)) = variables.into_iter().find_map(set) else {
        return Ok(());
    };
    let exceptions = EXCEPTIONS.into_iter().find_map(set);
    let host = endpoint.host_str().unwrap_or_default();
    if exceptions.is_some_and(|(_, list)| is_exception(&list, host)) {
        return Ok(());
    }
    let hint =
        "set it to an address such as http://proxy.example:3128, or list the host in NO_PROXY";
    let scheme = proxy.split_once("://").map(|(scheme, _)| scheme);
    if let Some(scheme) =
        scheme.filter(|scheme| !["http", "https"].contains(&scheme.to_lowercase().as_str()))
    {
        let is_word = scheme.len() < 16 && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
        let scheme = if is_word {
            format!(" `{scheme}`")
        } else {
            String::new()
        };
        let message =
            format!("{name}: proxies of the scheme{scheme} are not supported, only http and https");
        return Err(Error::config(message).with_hint(hint));
    }
    let url = match scheme {
        Some(_) => Url::parse(&proxy),
        None => Url::parse(&format!("http://{proxy}")),
    };
    if url.is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty())) {
        return Ok(());
    }
    Err(Error::config(format!("{name} is not the address of a proxy")).with_hint(hint))
}

/// Returns true if a list such as `localhost,.example.com` names the host, its domain, or every host.
fn is_exception(list: &str, host: &str) -> bool {
    let host = host.to_lowercase();
    list.split(',').map(str::trim).any(|entry| {
        let domain = entry.trim_start_matches('.').to_lowercase();
        entry == "*"
            || (!domain.is_empty()
                && host
                    .strip_suffix(&domain)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn checked(variables: &[(&str, &str)]) -> Result<()> {
        checked_for("https://api.confluent.cloud", variables)
    }

    fn checked_for(endpoint: &str, variables: &[(&str, &str)]) -> Result<()> {
        let endpoint = Url::parse(endpoint).unwrap();
        check_variables(&endpoint, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn http_proxies_are_accepted_and_no_proxy_counts() {
        for variables in [
            &[][..],
            &[("HTTPS_PROXY", "")],
            &[("HTTPS_PROXY", "http://u:hush@proxy:3128")],
            &[("https_proxy", "HTTPS://proxy")],
            &[("ALL_PROXY", "proxy:3128")],
            &[("HTTPS_PROXY", "u:hush@proxy:3128")],
            &[
                ("HTTPS_PROXY", "http://proxy"),
                ("ALL_PROXY", "socks5://proxy"),
            ],
            &[
                ("ALL_PROXY", "socks5://proxy"),
                ("NO_PROXY", "a.example, .confluent.cloud"),
            ],
            &[("ALL_PROXY", "socks5://proxy"), ("no_proxy", "*")],
        ] {
            checked(variables).unwrap();
        }
    }

    #[test]
    fn other_proxies_are_errors_that_name_the_variable_and_hide_the_value() {
        for (name, value) in [
            ("HTTPS_PROXY", "socks5://u:hush@proxy:1080"),
            ("https_proxy", "socks5h://hush"),
            ("ALL_PROXY", "ftp://hush"),
            ("all_proxy", "hush!nonsense://x"),
            ("HTTPS_PROXY", "http://"),
            ("HTTPS_PROXY", "hush hush"),
        ] {
            let error = checked(&[(name, value), ("NO_PROXY", "fluent.cloud")]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let shown = format!("{error} {:?}", error.hint());
            assert!(error.to_string().starts_with(name), "{shown}");
            assert!(!shown.contains("hush"), "{shown}");
        }
        let error = checked(&[("ALL_PROXY", "socks5://proxy")]).unwrap_err();
        assert!(error.to_string().contains("`socks5`"), "{error}");
    }

    #[test]
    fn plain_http_has_variables_of_its_own() {
        let socks = |name| [(name, "socks5://proxy")];
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
            let error = checked_for("http://storage.example:9000", &socks(name)).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
        checked_for("http://storage.example", &socks("HTTPS_PROXY")).unwrap();
        checked_for("https://storage.example", &socks("HTTP_PROXY")).unwrap();
    }
}
