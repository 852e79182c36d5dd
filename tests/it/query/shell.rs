//! `billstream shell` in a pseudo terminal.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::limits::LONG;
use super::store;
use super::terminal::*;
use crate::support::{Billstream, names_below};

/// A shell in a terminal of 24 lines and 80 columns, at its prompt.
fn shell(billstream: &Billstream) -> Terminal {
    let mut terminal = Terminal::start(&billstream.command(&["shell"]), 24, 80);
    terminal.shows(PROMPT);
    terminal
}

#[test]
fn shell_greets_answers_and_ends_with_ctrl_d() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    let greeting = shell.screen();
    assert!(
        greeting.starts_with("billstream ") && greeting.contains(".help"),
        "{greeting}"
    );
    let answer = shell.ask("select 40 + 2 as answer;");
    assert_eq!(
        answer,
        "┌────────┐\n│ answer │\n╞════════╡\n│     42 │\n└────────┘"
    );
    shell.keys(CTRL_D);
    assert_eq!(shell.end(), 0);
}

#[test]
fn statement_continues_up_to_its_semicolon() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    shell.line("select 40");
    shell.line("  + 2 -- not yet;");
    shell.line("  as \"a;b\"");
    let screen = shell.screen();
    assert!(!screen.contains("42"), "{screen}");
    shell.line(";");
    shell.shows("│  42 │");
    shell.answer();
    assert_eq!(
        shell.ask(".quit_").lines().next(),
        Some("error: there is no command .quit_")
    );
    shell.line(".quit");
    assert_eq!(shell.end(), 0);
}

#[test]
fn tab_completes_names_and_commands() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    let cases = [
        ("select * from monthly", "select * from monthly_costs"),
        ("select * from line_items_a", "select * from line_items_at"),
        ("select approx_dist", "select approx_distinct"),
        ("select record_i", "select record_id"),
        ("select resource/serv", "select \"resource/service\""),
        ("select \"resource/serv", "select \"resource/service\""),
        (".sche", ".schema"),
        (".schema monthly", ".schema monthly_costs"),
    ];
    for (typed, completed) in cases {
        assert_completes(&mut shell, typed, completed);
    }
    // Several matches are listed.
    shell.keys(".re");
    shell.keys("\t\t");
    let screen = shell.shows(".reports");
    assert!(
        screen.contains(".read") && screen.contains(".report "),
        "{screen}"
    );
}

/// Repeats Tab until a completion appears: columns are loaded in the background.
#[track_caller]
fn assert_completes(shell: &mut Terminal, typed: &str, completed: &str) {
    let start = Instant::now();
    let wanted = format!("{PROMPT} {completed}");
    loop {
        shell.keys(DELETE_LINE);
        shell.clear();
        shell.keys(typed);
        shell.shows(&format!("{PROMPT} {typed}"));
        shell.keys("\t");
        std::thread::sleep(Duration::from_millis(200));
        let screen = shell.screen();
        if screen.lines().any(|line| line == wanted) {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{typed} does not become {completed}:\n{screen}"
        );
    }
    shell.keys(DELETE_LINE);
    shell.clear();
}

#[test]
fn completed_column_can_be_queried() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    assert_completes(&mut shell, "select lineitem/t", "select \"lineitem/type\"");
    shell.keys("select lineitem/t\t from line_items limit 1;\r");
    let answer = shell.answer();
    assert!(answer.contains("│ lineitem/type │"), "{answer}");
}

#[test]
fn history_is_kept_for_the_next_shell() {
    let (_store, billstream) = store();
    let state = billstream.home().join("state");
    let billstream = billstream.env("XDG_STATE_HOME", &state.display().to_string());
    let mut first = shell(&billstream);
    first.ask("select 11 as first;");
    first.line("select 22");
    first.line("  as second;");
    first.shows("│     22 │");
    // A key typed before the next prompt may be lost.
    first.answer();
    first.keys(CTRL_D);
    assert_eq!(first.end(), 0);

    let file = state.join("billstream/history");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("select 11 as first;"), "{text}");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(
        mode & 0o077,
        0,
        "the history is readable by others: {mode:o}"
    );

    let mut second = shell(&billstream);
    second.keys(UP);
    second.shows("as second;");
    second.keys(UP);
    // From the second line of the statement to its first, then to the previous statement.
    second.keys(UP);
    second.shows(&format!("{PROMPT} select 11 as first;"));
    second.keys("\r");
    second.shows("│    11 │");
}

#[test]
fn history_is_in_the_home_folder_without_a_state_folder() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    shell.ask("select 11 as first;");
    assert!(
        billstream
            .home()
            .join(".local/state/billstream/history")
            .exists()
    );
}

#[test]
fn ctrl_c_at_the_prompt_clears_the_line() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    shell.keys("select 'half of a state");
    shell.shows("half of a state");
    shell.keys(CTRL_C);
    shell.answer();
    let answer = shell.ask("select 1 as one;");
    assert!(answer.contains("│   1 │"), "{answer}");
    shell.line("select");
    shell.line("  2");
    shell.shows("  2");
    shell.keys(CTRL_C);
    shell.answer();
    let answer = shell.ask("select 3 as three;");
    assert!(answer.contains("│     3 │"), "{answer}");
}

#[test]
fn ctrl_c_cancels_a_query_and_keeps_the_shell() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    for long in LONG {
        shell.clear();
        shell.line(&format!("{long};"));
        std::thread::sleep(Duration::from_secs(1));
        let started = Instant::now();
        shell.keys(CTRL_C);
        let answer = shell.answer();
        assert!(answer.contains("error: stopped by Ctrl-C"), "{answer}");
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{long}: {:?}",
            started.elapsed()
        );
        let answer = shell.ask("select sum(costs) as costs from periods;");
        assert!(answer.contains("│ costs │"), "{answer}");
    }
    shell.keys(CTRL_D);
    assert_eq!(shell.end(), 0);
}

#[test]
fn shell_continues_after_an_error() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    let answer = shell.ask("select amuont from costs;");
    assert_eq!(
        answer,
        "error: there is no column `amuont`\n\
         \x201 | select amuont from costs\n\
         \x20  |        ^^^^^^\n\
         hint: did you mean `amount`?"
    );
    assert!(
        shell
            .ask("drop table costs;")
            .contains("not allowed: queries are read-only")
    );
    assert!(shell.ask(".tabels").contains("hint: did you mean .tables?"));
    assert!(shell.ask(".tables").contains("monthly_costs"));
    assert!(shell.ask("select 1 as one;").contains("│   1 │"));
}

#[test]
fn statements_are_coloured_unless_no_color_is_set() {
    let (_store, billstream) = store();
    let statement = "select 'text', 12 from costs -- why";
    let mut coloured = shell(&billstream);
    coloured.keys(statement);
    coloured.shows("-- why");
    let found = coloured.coloured();
    let words: Vec<&str> = found.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, ["select", "'text'", "12", "from", "-- why"]);
    let colours: std::collections::BTreeSet<String> = found
        .iter()
        .map(|(_, colour)| format!("{colour:?}"))
        .collect();
    assert_eq!(
        colours.len(),
        4,
        "keywords, texts, numbers and comments have the same colour: {found:?}"
    );

    let plain = billstream.env("NO_COLOR", "1");
    let mut plain = shell(&plain);
    plain.keys(statement);
    plain.shows("-- why");
    assert_eq!(plain.coloured(), []);
}

#[test]
fn table_fits_the_screen() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    let answer = shell.ask("select * from line_items limit 3;");
    let lines: Vec<&str> = answer.lines().collect();
    assert_eq!(
        lines.len(),
        8,
        "not four lines around three rows and a note:\n{answer}"
    );
    for line in &lines[..7] {
        assert!(
            line.chars().count() <= 80 && line.ends_with(['┐', '│', '╡', '┘']),
            "{answer}"
        );
    }
    assert!(lines[7].contains("columns shown"), "{answer}");
}

#[test]
fn long_result_is_paged() {
    let (_store, billstream) = store();
    let billstream = billstream.env("PAGER", "sed 's/^/paged /'");
    let mut shell = shell(&billstream);
    shell.line("select value from generate_series(1, 300);");
    let screen = shell.shows("paged └");
    assert!(screen.contains("paged │   300 │"), "{screen}");
    shell.answer();
    let short = shell.ask("select value from generate_series(1, 3);");
    assert!(!short.contains("paged"), "{short}");
    shell.ask(".pager off");
    shell.line("select value from generate_series(1, 300);");
    let screen = shell.shows("│   300 │");
    assert!(!screen.contains("paged"), "{screen}");
}

#[test]
fn shell_continues_after_a_pager_that_quits_early() {
    let (_store, billstream) = store();
    let billstream = billstream.env("PAGER", "head -n 3");
    let mut shell = shell(&billstream);
    shell.ask(".maxrows 0");
    let answer = shell.ask("select value from generate_series(1, 100000);");
    assert_eq!(answer, "┌────────┐\n│  value │\n╞════════╡");
    assert!(shell.ask("select 1 as one;").contains("│   1 │"));
}

#[test]
fn commands_change_format_timer_and_output() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    assert_eq!(shell.ask(".mode csv"), "");
    assert_eq!(
        shell.ask("select 1.50 as a, 'x,y' as b;"),
        "a,b\n1.5,\"x,y\""
    );
    assert_eq!(shell.ask(".mode"), "csv");
    assert!(shell.ask(".mode yaml").contains("modes: table, csv"));
    shell.ask(".mode markdown");
    assert_eq!(shell.ask("select 1 as a;"), "| a |\n| ---: |\n| 1 |");
    shell.ask(".timer on");
    let timed = shell.ask("select 1 as a;");
    let last = timed.lines().last().unwrap();
    assert!(
        last.starts_with("1 row in ") && last.ends_with(" s"),
        "{timed}"
    );
    assert_eq!(shell.ask(".output rows.md"), "");
    let silent = shell.ask("select 2 as b;");
    assert!(!silent.contains('|'), "{silent}");
    shell.ask(".output");
    let file = billstream.home().join("rows.md");
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        "| b |\n| ---: |\n| 2 |\n"
    );
    assert!(shell.ask("select 3 as c;").starts_with("| c |"));
}

#[test]
fn binary_formats_are_refused_on_a_terminal() {
    let (_store, billstream) = store();
    let query = billstream.command(&["query", "--format", "parquet", "select 1 as a"]);
    let mut terminal = Terminal::start(&query, 24, 80);
    terminal.shows("error: ");
    let screen = terminal.screen();
    assert!(
        screen.contains("terminal") && screen.contains("-o"),
        "{screen}"
    );
    assert_eq!(terminal.end(), 2);

    let mut shell = shell(&billstream);
    shell.ask(".mode parquet");
    let answer = shell.ask("select 1 as a;");
    assert!(
        !answer.contains("PAR1") && answer.contains("error: "),
        "{answer}"
    );
}

#[test]
fn query_table_fits_the_terminal() {
    let (_store, billstream) = store();
    let query = billstream.command(&["query", "select * from daily_costs limit 2"]);
    let mut terminal = Terminal::start(&query, 24, 60);
    let screen = terminal.shows("columns shown");
    assert!(
        screen.lines().all(|line| line.chars().count() <= 60),
        "{screen}"
    );
    assert!(screen.lines().next().unwrap().ends_with('┐'), "{screen}");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn termination_at_the_prompt_deletes_the_unfinished_output() {
    let (_store, billstream) = store();
    let mut shell = shell(&billstream);
    assert_eq!(shell.ask(".output rows.csv"), "");
    assert_eq!(shell.ask("select 1 as n;"), "");
    let before = names_below(billstream.home());
    shell.signal("TERM");
    assert_eq!(shell.end(), 4);
    let mut gone = names_below(billstream.home());
    gone.retain(|name| before.contains(name));
    assert_eq!(gone.len() + 1, before.len(), "{before:?} {gone:?}");
}
