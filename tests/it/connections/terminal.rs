//! `connections add` on a terminal: the secret is asked for, and not shown.

use super::Scene;
use crate::query::terminal::{CTRL_C, Terminal};

#[test]
fn the_secret_is_asked_for_and_not_echoed() {
    let scene = Scene::new(&[]);
    let command = scene
        .billstream
        .command(&scene.adding(&["--name", "acme", "--no-import"]));
    let mut terminal = Terminal::start(&command, 40, 200);
    terminal.shows("Cloud API key:");
    terminal.line("sandbox-key");
    terminal.shows("Its secret (not shown):");
    terminal.line("sandbox-secret");
    let screen = terminal.shows("is stored in");
    assert!(screen.contains("sandbox-key"), "{screen}");
    assert!(!screen.contains("sandbox-secret"), "{screen}");
    assert_eq!(terminal.end(), 0);
    assert_eq!(scene.kept_key("acme"), "sandbox-key");
    scene.run(&["connections", "check", "acme"]).ok();
}

#[test]
fn an_administrators_key_is_asked_for_as_such() {
    let scene = Scene::new(&super::AT_ONCE);
    let arguments = ["--setup", "--no-import"];
    let command = scene.billstream.command(&scene.adding(&arguments));
    let mut terminal = Terminal::start(&command, 40, 200);
    terminal.shows("administrator's Cloud API key:");
    terminal.line("sandbox-admin");
    terminal.shows("Its secret (not shown):");
    terminal.line("sandbox-admin-secret");
    let screen = terminal.shows("is stored in");
    assert!(!screen.contains("sandbox-admin-secret"), "{screen}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn an_interrupt_at_the_secret_leaves_a_terminal_that_shows_what_is_typed() {
    let scene = Scene::new(&[]);
    let adding = scene.adding(&[]).join(" ");
    let binary = crate::support::binary().display().to_string();
    // The shell lives on, and says how the terminal is.
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
    terminal.shows("Cloud API key:");
    terminal.line("sandbox-key");
    terminal.shows("Its secret (not shown):");
    terminal.keys(CTRL_C);
    terminal.shows("ended 130");
    let screen = terminal.shows("echoctl");
    assert!(screen.contains(" echo "), "{screen}");
    scene.assert_nothing_stored();
}
