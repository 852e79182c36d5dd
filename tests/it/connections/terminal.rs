//! `connections add` on a terminal: prompts for key and secret without echo.

use super::Scene;
use crate::query::terminal::{CTRL_C, Terminal};

#[test]
fn prompts_for_the_secret_without_echo() {
    let scene = Scene::new(&[]);
    let command = scene
        .billstream
        .command(&scene.adding(&["--name", "acme", "--no-import"]));
    let mut terminal = Terminal::start(&command, 40, 200);
    terminal.shows("Cloud API key (not shown):");
    terminal.line("sandbox-key");
    terminal.shows("API secret (not shown):");
    terminal.line("sandbox-secret");
    let screen = terminal.shows("stored connection");
    assert!(!screen.contains("sandbox-secret"), "{screen}");
    assert_eq!(terminal.end(), 0);
    assert_eq!(scene.stored_key("acme"), "sandbox-key");
    scene.run(&["connections", "check", "acme"]).ok();
}

#[test]
fn a_secret_pasted_with_the_key_is_not_echoed() {
    let scene = Scene::new(&[]);
    let command = scene
        .billstream
        .command(&scene.adding(&["--name", "acme", "--no-import"]));
    let mut terminal = Terminal::start(&command, 40, 200);
    terminal.shows("Cloud API key");
    terminal.line("sandbox-key\rsandbox-secret");
    let screen = terminal.shows("stored connection");
    assert!(!screen.contains("sandbox-secret"), "{screen}");
    assert_eq!(terminal.end(), 0);
    assert_eq!(scene.stored_key("acme"), "sandbox-key");
}

#[test]
fn prompts_for_an_administrators_key() {
    let scene = Scene::new(&super::NO_KEY_DELAY);
    let arguments = ["--setup", "--no-import"];
    let command = scene.billstream.command(&scene.adding(&arguments));
    let mut terminal = Terminal::start(&command, 40, 200);
    terminal.shows("Administrator's Cloud API key (not shown):");
    terminal.line("sandbox-admin");
    terminal.shows("API secret (not shown):");
    terminal.line("sandbox-admin-secret");
    let screen = terminal.shows("stored connection");
    assert!(!screen.contains("sandbox-admin-secret"), "{screen}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn ctrl_c_at_the_secret_restores_the_echo() {
    let scene = Scene::new(&[]);
    let adding = scene.adding(&[]).join(" ");
    let binary = crate::support::binary().display().to_string();
    // The shell continues, and prints the state of the terminal.
    let shell = format!("trap : INT; {binary} {adding}; echo ended $?; stty -a; sleep 60");
    let mut command = std::process::Command::new("bash");
    let of_billstream = scene.billstream.command::<&str>(&[]);
    command.args(["-c", &shell]);
    for (name, value) in of_billstream.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.current_dir(scene.billstream.home());
    let mut terminal = Terminal::start(&command, 40, 200);
    terminal.shows("Cloud API key (not shown):");
    terminal.line("sandbox-key");
    terminal.shows("API secret (not shown):");
    terminal.keys(CTRL_C);
    terminal.shows("ended 130");
    let screen = terminal.shows("echoctl");
    assert!(screen.contains(" echo "), "{screen}");
    scene.assert_nothing_stored();
}
