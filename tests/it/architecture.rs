//! Data flows one way: a module uses only those above it in this list, which is that of `src/lib.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules in dependency order. A module may use every module of an earlier line, and its own line.
const LAYERS: [&[&str]; 11] = [
    &[
        "billing_period",
        "clock",
        "control_totals",
        "decimal",
        "display_text",
        "error",
        "os",
        "suggest",
    ],
    &["http"],
    &["confluent"],
    &["store"],
    &["engine"],
    &["cloudzero"],
    &["pipeline"],
    &["config"],
    &["connections"],
    &["query", "sandbox"],
    &["cli"],
];

#[test]
fn modules_use_only_modules_of_earlier_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&root);
    assert!(files.len() > 100, "found only {} files", files.len());
    let mut upward = BTreeSet::new();
    for file in files {
        let path = file.strip_prefix(&root).unwrap();
        let module = path.iter().next().unwrap().to_str().unwrap();
        let module = module.trim_end_matches(".rs");
        // Unit tests may use the fake servers.
        let is_test = path
            .iter()
            .any(|part| part == "tests" || part == "tests.rs");
        if matches!(module, "lib" | "main") || is_test {
            continue;
        }
        let own = layer(module)
            .unwrap_or_else(|| panic!("`{module}` is in no layer; add it to LAYERS and lib.rs"));
        for used in used_modules(&fs::read_to_string(&file).unwrap()) {
            if layer(&used).is_some_and(|used| used > own) {
                upward.insert(format!("{} uses crate::{used}", path.display()));
            }
        }
    }
    assert!(upward.is_empty(), "upward dependencies: {upward:#?}");
}

/// Notes, errors and tables pass through functions that escape what steers a terminal.
#[test]
fn only_the_output_modules_write_to_the_terminal() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut direct = Vec::new();
    for file in rust_files(&root) {
        let path = file.strip_prefix(&root).unwrap().display().to_string();
        // A panic has its own words, and the sandbox announces its address.
        let is_exempt = ["cli/panic.rs", "cli/commands/sandbox.rs"].contains(&path.as_str());
        let is_test = path.contains("/tests/");
        if is_exempt || is_test || path.starts_with("cli/output/") || path.starts_with("sandbox/") {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let macros = [
            "eprintln!",
            "println!",
            "print!(std",
            "io::stdout().write",
            "dbg!",
        ];
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let written = lines.filter(|line| macros.iter().any(|name| line.contains(name)));
        direct.extend(written.map(|line| format!("{path}: {}", line.trim())));
    }
    assert!(direct.is_empty(), "{direct:#?}");
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Names after `crate::` in code, comments left out.
fn used_modules(source: &str) -> BTreeSet<String> {
    let code = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
