//! A program in a pseudo terminal: sends keys and reads the screen.

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Ctrl-C.
pub const CTRL_C: &str = "\x03";
/// Ctrl-D.
pub const CTRL_D: &str = "\x04";
/// Ctrl-L clears the screen.
pub const CLEAR: &str = "\x0c";
/// Ctrl-U deletes the line.
pub const DELETE_LINE: &str = "\x15";
/// The Up arrow.
pub const UP: &str = "\x1b[A";
/// The prompt, without the space after it.
pub const PROMPT: &str = "billstream>";

/// Time limit for the screen to show something, sufficient for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A terminal that runs a program, and kills it when dropped.
pub struct Terminal {
    seen: Arc<Mutex<vt100::Parser>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts a command in a terminal of this size.
    pub fn start(command: &Command, lines: u16, columns: u16) -> Terminal {
        let size = PtySize {
            rows: lines,
            cols: columns,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let child = pair.slave.spawn_command(command_builder(command)).unwrap();
        drop(pair.slave);
        let seen = Arc::new(Mutex::new(parser(lines, columns)));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let shared = seen.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails when the program ends.
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                shared.lock().unwrap().process(&bytes[..count]);
            }
        });
        Terminal {
            seen,
            keys: pair.master.take_writer().unwrap(),
            child,
            _master: pair.master,
        }
    }

    /// Types keys.
    pub fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Types a line with Enter at its end.
    pub fn line(&mut self, text: &str) {
        self.keys(&format!("{text}\r"));
    }

    /// Types a line, and waits for the next prompt. Returns the text between them.
    #[track_caller]
    pub fn ask(&mut self, text: &str) -> String {
        self.clear();
        self.line(text);
        self.answer()
    }

    /// Clears the screen at an empty prompt.
    ///
    /// Keys typed before the prompt appears may be lost: the editor reads ahead.
    #[track_caller]
    pub fn clear(&mut self) {
        self.keys(CLEAR);
        self.wait("an empty screen", |screen| screen == PROMPT);
    }

    /// Waits for an empty prompt. Returns the screen above it without the first line.
    #[track_caller]
    pub fn answer(&mut self) -> String {
        let screen = self.wait("a prompt", |screen| {
            screen.lines().count() > 1 && screen.lines().next_back() == Some(PROMPT)
        });
        let mut lines: Vec<&str> = screen.lines().skip(1).collect();
        lines.pop();
        lines.join("\n")
    }

    /// Waits for a text on the screen. Returns the screen.
    #[track_caller]
    pub fn shows(&mut self, text: &str) -> String {
        self.wait(&format!("`{text}`"), |screen| screen.contains(text))
    }

    /// Lines of the screen without trailing blanks.
    pub fn screen(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let (_, columns) = seen.screen().size();
        let rows = seen.screen().rows(0, columns.get());
        let lines: Vec<String> = rows.map(|row| row.trim_end().to_string()).collect();
        lines.join("\n").trim_end().to_string()
    }

    /// Texts of the current line with their colours, without text in the default colour.
    pub fn coloured(&self) -> Vec<(String, vt100::Color)> {
        let seen = self.seen.lock().unwrap();
        let screen = seen.screen();
        let (line, _) = screen.cursor_position();
        let (_, columns) = screen.size();
        let mut found: Vec<(String, vt100::Color)> = Vec::new();
        let cells = (0..columns.get()).filter_map(|column| screen.cell(line, column));
        for cell in cells.filter(|cell| cell.fgcolor() != vt100::Color::Default) {
            match found.last_mut() {
                Some((text, colour)) if *colour == cell.fgcolor() => text.push_str(cell.contents()),
                _ => found.push((cell.contents().to_string(), cell.fgcolor())),
            }
        }
        found
    }

    /// Sends a signal by its name, such as TERM.
    pub fn signal(&self, name: &str) {
        let id = self.child.process_id().expect("the program runs");
        let sent = Command::new("kill")
            .args([format!("-{name}"), id.to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the program's end. Returns its exit code.
    #[track_caller]
    pub fn end(mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(
                start.elapsed() < TIMEOUT,
                "the program is still running:\n{}",
                self.screen()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn wait(&mut self, what: &str, is_shown: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if is_shown(&screen) {
                return screen;
            }
            assert!(
                start.elapsed() < TIMEOUT,
                "the screen does not show {what}:\n{screen}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parser(lines: u16, columns: u16) -> vt100::Parser {
    let at_least_one = |size| NonZero::new(size).unwrap();
    vt100::Parser::new(at_least_one(lines), at_least_one(columns), 0)
}

fn command_builder(command: &Command) -> CommandBuilder {
    let mut builder = CommandBuilder::new(command.get_program());
    builder.args(command.get_args());
    builder.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            builder.env(name, value);
        }
    }
    builder.env("TERM", "xterm-256color");
    if let Some(folder) = command.get_current_dir() {
        builder.cwd(folder);
    }
    builder
}
