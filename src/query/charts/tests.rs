//! Exact output of small charts, and properties of many generated ones.

#![allow(clippy::unwrap_used)]

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::query::charts::decimals::{abbreviate, exact_sum, format_decimal, tick_label};

fn value(text: &str) -> ChartValue {
    ChartValue {
        text: text.to_owned(),
        approximate: text.parse().unwrap_or(f64::NAN),
    }
}

fn chart(data: ChartData) -> Chart {
    Chart {
        title: "Cost".to_owned(),
        subtitle: "October".to_owned(),
        unit: "USD".to_owned(),
        data,
    }
}

fn bars(bars: &[(&str, &str)]) -> Chart {
    let bar = |(label, text): &(&str, &str)| Bar {
        label: (*label).to_owned(),
        value: value(text),
    };
    chart(ChartData::Bars(bars.iter().map(bar).collect()))
}

/// A chart of series whose values are separated by spaces; `-` is an absent value.
fn lines(x: &[&str], series: &[(&str, &str)]) -> Chart {
    let point = |word: &str| (word != "-").then(|| value(word));
    let one = |(name, values): &(&str, &str)| Series {
        name: (*name).to_owned(),
        values: values.split_whitespace().map(point).collect(),
    };
    chart(ChartData::Lines {
        x: x.iter().map(|label| (*label).to_owned()).collect(),
        series: series.iter().map(one).collect(),
        incomplete: Vec::new(),
        adds_up: true,
    })
}

/// The chart with its last points not final.
fn with_open_end(chart: Chart, points: usize) -> Chart {
    let ChartData::Lines {
        x, series, adds_up, ..
    } = chart.data
    else {
        panic!("no lines");
    };
    let open = (0..x.len()).map(|at| at + points >= x.len()).collect();
    let data = ChartData::Lines {
        x,
        series,
        incomplete: open,
        adds_up,
    };
    Chart { data, ..chart }
}

#[test]
fn points_that_are_not_final_are_named_and_drawn_apart() {
    let x = ["2026-09", "2026-10", "2026-11"];
    let complete = lines(&x, &[("Kafka", "3 4 1")]);
    let drawn = svg(&complete).unwrap();
    assert!(!drawn.contains("not complete"), "{drawn}");
    let rings = |svg: &str| svg.matches("fill=\"#FFFFFF\"").count();
    let open = with_open_end(complete.clone(), 1);
    let dashed = svg(&open).unwrap();
    assert!(dashed.contains("not complete: 2026-11"), "{dashed}");
    assert_eq!(rings(&dashed), rings(&drawn) + 1, "one ring");
    assert!(
        dashed.matches("<polyline").count() > drawn.matches("<polyline").count() + 5,
        "dashes: {dashed}"
    );
    let text = terminal(&open, 60, false);
    assert!(text.contains("not complete: 2026-11"), "{text}");
    let faint = "\u{1b}[2;38;5;6m";
    assert!(terminal(&open, 60, true).contains(faint));
    assert!(!terminal(&complete, 60, true).contains(faint));
}

#[test]
fn values_that_do_not_add_up_have_no_total() {
    let chart = lines(&["2026-09", "2026-10"], &[("price", "0.5 0.25")]);
    assert!(terminal(&chart, 60, false).contains("total"));
    let ChartData::Lines {
        x,
        series,
        incomplete,
        ..
    } = chart.data.clone()
    else {
        panic!("no lines");
    };
    let prices = ChartData::Lines {
        x,
        series,
        incomplete,
        adds_up: false,
    };
    let text = terminal(
        &Chart {
            data: prices,
            ..chart
        },
        60,
        false,
    );
    assert!(text.contains("last") && !text.contains("total"), "{text}");
    assert!(!text.contains("0.75"), "{text}");
    let cheap = lines(&["2026-09", "2026-10"], &[("price", "0.000412 2.5")]);
    let ChartData::Lines { x, series, .. } = cheap.data.clone() else {
        panic!("no lines");
    };
    let data = ChartData::Lines {
        x,
        series,
        incomplete: Vec::new(),
        adds_up: false,
    };
    let text = terminal(&Chart { data, ..cheap }, 60, false);
    assert!(text.contains("0.00041"), "{text}");
}

/// Lines of a chart below its heading.
fn body(chart: &Chart, width: u16) -> Vec<String> {
    let text = terminal(chart, width, false);
    assert!(text.starts_with("Cost\nOctober · USD\n\n"), "{text}");
    text.lines().skip(3).map(str::to_owned).collect()
}

/// Texts of a picture in drawing order, still escaped.
fn texts(svg: &str) -> Vec<&str> {
    let parts = svg.split("<text ").skip(1);
    let text = parts.filter_map(|part| Some(part.split_once(">\n")?.1.split_once("\n<")?.0));
    text.collect()
}

#[test]
fn decimals_round_half_even_on_their_text() {
    for (text, expected) in [
        ("0", "0.00"),
        ("7", "7.00"),
        (".5", "0.50"),
        ("0.005", "0.00"),
        ("0.015", "0.02"),
        ("0.0050000000000000000000000001", "0.01"),
        ("2.675", "2.68"),
        ("1.005", "1.00"),
        ("999.995", "1,000.00"),
        ("999999.994999", "999,999.99"),
        ("-1234567.895", "-1,234,567.90"),
        ("-0.004", "0.00"),
        ("0012.3", "12.30"),
        ("98765432109876543210.125", "98,765,432,109,876,543,210.12"),
        ("n/a", "n/a"),
        ("", ""),
        ("-", "-"),
        ("1e5", "1e5"),
    ] {
        assert_eq!(format_decimal(text, 2), expected, "{text}");
    }
    assert_eq!(format_decimal("1234", 0), "1,234");
    assert_eq!(format_decimal("0", 0), "0");
}

#[test]
fn sums_of_decimal_texts_are_exact() {
    for (texts, expected) in [
        (vec!["0.1", "0.2"], Some("0.3")),
        (vec!["99.99", "0.01"], Some("100.00")),
        (vec!["5", "-7.25"], Some("-2.25")),
        (vec!["-0.5", "0.5"], Some("0.0")),
        (vec!["-1", "-99"], Some("-100")),
        (
            vec!["90000000000000.000000000000000000000001"; 3],
            Some("270000000000000.000000000000000000000003"),
        ),
        (vec!["1", "1e5"], None),
        (vec![], None),
    ] {
        assert_eq!(exact_sum(texts.clone().into_iter()).as_deref(), expected);
    }
}

#[test]
fn axis_labels_are_abbreviated() {
    for (value, step, expected) in [
        (0.0, 500.0, "0"),
        (500.0, 500.0, "500"),
        (1500.0, 500.0, "1.5k"),
        (2000.0, 500.0, "2k"),
        (-3_400_000.0, 200_000.0, "-3.4M"),
        (0.1 * 3.0, 0.1, "0.3"),
        (0.0004, 0.0002, "0.0004"),
        (-0.0, 1.0, "0"),
        (5e19, 1e19, "5e19"),
        (3e-9, 1e-9, "3e-9"),
    ] {
        assert_eq!(tick_label(value, step), expected);
    }
    let shown = [12345.67, 999.96, -0.5, 1.0, 2.5e12].map(abbreviate);
    assert_eq!(shown, ["12.3k", "1k", "-0.5", "1", "2.5T"]);
}

#[test]
fn terminal_bars() {
    let chart = bars(&[
        ("KAFKA", "1200.5"),
        ("CONNECT", "300.125"),
        ("FLINK", "0.01"),
        ("KSQL", "0"),
    ]);
    assert_eq!(
        body(&chart, 40),
        [
            "KAFKA   ███████████████████████ 1,200.50",
            "CONNECT █████▊                    300.12",
            "FLINK   ▏                           0.01",
            "KSQL                                0.00",
        ]
    );
}

#[test]
fn terminal_bars_of_negative_values_extend_left() {
    let chart = bars(&[("usage", "30"), ("credits", "-15"), ("small", "-0.1")]);
    assert_eq!(
        body(&chart, 34),
        [
            "usage         │████████████  30.00",
            "credits ██████│             -15.00",
            "small        ▕│              -0.10",
        ]
    );
    let only = bars(&[("a", "-4"), ("b", "-2"), ("c", "0")]);
    assert_eq!(
        body(&only, 20),
        [
            "a ██████████████│ -4",
            "b        ███████│ -2",
            "c               │  0",
        ]
    );
}

#[test]
fn long_names_are_truncated_before_their_end() {
    let chart = bars(&[
        ("environment-production/connector/lcc-9x2k", "2"),
        ("東京リージョンの接続コネクター", "1"),
    ]);
    assert_eq!(
        body(&chart, 30),
        [
            "environm…9x2k ██████████████ 2",
            "東京リー…ター ███████        1",
        ]
    );
    assert_eq!(body(&chart, 20)[0], "environ… █████████ 2");
}

#[test]
fn terminal_sparklines() {
    let chart = lines(
        &["2026-07", "2026-08", "2026-09", "2026-10"],
        &[("KAFKA", "100 200 400.5 800"), ("CONNECT", "- 1 - 0")],
    );
    assert_eq!(
        body(&chart, 60),
        [
            "                           first    last     total",
            "KAFKA   ▁▁▁▁▂▂▂▂▄▄▄▄████  100.00  800.00  1,500.50",
            "CONNECT ····████····▁▁▁▁       –    0.00      1.00",
            "        2026-07  2026-10",
        ]
    );
    assert_eq!(
        body(&chart, 24),
        [
            "                 total",
            "KAFKA   ▁▂▄█  1,500.50",
            "CONNECT ·█·▁      1.00",
            "       2026-07 – 2026-10",
        ]
    );
}

#[test]
fn negative_points_hang_on_a_second_line() {
    let chart = lines(&["a", "b", "c", "d"], &[("net", "8 -8 -1 4")]);
    let body = body(&chart, 40);
    assert_eq!(body[1], "net ███      ▄▄▄      8      4      3");
    assert_eq!(body[2], "       ███▔▔▔");
    assert_eq!(body[3], "    a          d");
}

#[test]
fn points_are_averaged_if_there_are_more_than_columns() {
    let x: Vec<String> = (0..60).map(|day| format!("d{day}")).collect();
    let x: Vec<&str> = x.iter().map(String::as_str).collect();
    let values = "8 0 ".repeat(30);
    let body = body(&lines(&x, &[("n", &values)]), 20);
    assert_eq!(body[1], "n ██████████    240");
}

#[test]
fn colours_add_ansi_sequences_and_nothing_else() {
    let chart = bars(&[("a", "2"), ("b", "-2")]);
    let coloured = terminal(&chart, 20, true);
    assert!(coloured.starts_with("\x1b[1mCost\x1b[0m\n\x1b[2mOctober · USD\x1b[0m\n\n"));
    assert!(coloured.contains("\x1b[38;5;6m█"), "{coloured:?}");
    assert!(coloured.contains("\x1b[38;5;1m█"), "{coloured:?}");
    let mut plain = coloured;
    for sequence in [
        "\x1b[0m",
        "\x1b[1m",
        "\x1b[2m",
        "\x1b[38;5;6m",
        "\x1b[38;5;1m",
    ] {
        plain = plain.replace(sequence, "");
    }
    assert_eq!(plain, terminal(&chart, 20, false));
}

#[test]
fn empty_charts_show_no_data() {
    for empty in [
        bars(&[]),
        lines(&[], &[]),
        lines(&["2026-10"], &[]),
        lines(&["2026-10"], &[("a", "-"), ("b", "")]),
        lines(&[], &[("a", "5")]),
    ] {
        assert_eq!(body(&empty, 40), ["no data"]);
        let picture = svg(&empty).unwrap();
        assert_eq!(texts(&picture), ["Cost", "October · USD", "no data"]);
    }
    let mut bare = bars(&[]);
    bare.title.clear();
    bare.subtitle.clear();
    bare.unit.clear();
    assert_eq!(terminal(&bare, 40, false), "no data\n");
}

#[test]
fn svg_texts_are_escaped_once() {
    let chart = bars(&[("<b> & \"q\" 'a' &amp;", "1")]);
    let picture = svg(&chart).unwrap();
    assert_eq!(
        texts(&picture)[2..],
        ["0", "0.2", "0.4", "0.6", "0.8", "1", LABEL, "1"]
    );
    const LABEL: &str = "&lt;b&gt; &amp; &quot;q&quot; &apos;a&apos; &amp;amp;";
}

#[test]
fn control_characters_are_removed() {
    let chart = bars(&[("\x1b[31mred\x07\u{202e}\nx", "1")]);
    assert!(body(&chart, 40)[0].starts_with("[31mred  x █"));
    let picture = svg(&chart).unwrap();
    assert!(texts(&picture).contains(&"[31mred  x"));
    assert!(!picture.contains(|c: char| c.is_control() && c != '\n'));
}

#[test]
fn svg_has_slide_size_and_expected_texts() {
    let chart = lines(
        &["2026-09", "2026-10"],
        &[("KAFKA", "1000 1200.5"), ("FLINK", "10 -")],
    );
    let picture = svg(&chart).unwrap();
    assert!(picture.starts_with("<svg "));
    assert!(picture.contains("width=\"1200\" height=\"675\" viewBox=\"0 0 1200 675\""));
    assert!(picture.trim_end().ends_with("</svg>"));
    assert_eq!(
        texts(&picture),
        [
            "Cost",
            "October · USD",
            "0",
            "500",
            "1k",
            "1.5k",
            "2026-09",
            "2026-10",
            "KAFKA",
            "1,200.50",
            "FLINK",
            "10.00",
        ]
    );
    assert_eq!(picture.matches("<polyline").count(), 4 + 1 + 2); // ticks, line, joints
    assert_eq!(picture.matches("<circle").count(), 3);
}

#[test]
fn svg_groups_more_than_eight_series_into_seven_and_other() {
    let names: Vec<String> = (1..=9).map(|at| format!("s{at}")).collect();
    let values: Vec<String> = (1..=9).map(|at| format!("{at}.1 -")).collect();
    let series = names.iter().zip(&values);
    let series = series.map(|(n, v)| (n.as_str(), v.as_str()));
    let series: Vec<_> = series.collect();
    let picture = svg(&lines(&["a", "b"], &series)).unwrap();
    let shown = texts(&picture);
    assert!(shown.contains(&"Other (2)") && shown.contains(&"3.20"));
    assert!(shown.contains(&"s3") && !shown.contains(&"s2") && !shown.contains(&"s1"));
    let eight = svg(&lines(&["a", "b"], &series[..8])).unwrap();
    assert!(texts(&eight).contains(&"s1"));
}

#[test]
fn svg_groups_more_than_24_bars_into_the_largest_and_other() {
    let values: Vec<String> = (1..=30).map(|at| format!("{at}.01")).collect();
    let all: Vec<_> = values.iter().map(|v| (v.as_str(), v.as_str())).collect();
    let picture = svg(&bars(&all)).unwrap();
    let shown = texts(&picture);
    assert!(shown.contains(&"Other (7)") && shown.contains(&"28.07"));
    assert!(shown.contains(&"8.01") && !shown.contains(&"7.01"));
}

#[test]
fn svg_point_labels_are_thinned_to_whole_weeks() {
    let x: Vec<String> = (0..60)
        .map(|day| format!("2026-{:02}-{:02}", 9 + day / 30, 1 + day % 30))
        .collect();
    let x: Vec<&str> = x.iter().map(String::as_str).collect();
    let picture = svg(&lines(&x, &[("n", &"1 ".repeat(60))])).unwrap();
    let shown = texts(&picture);
    let days: Vec<&&str> = shown
        .iter()
        .filter(|text| text.starts_with("2026-"))
        .collect();
    assert_eq!(days.len(), 9);
    assert_eq!((*days[0], *days[1]), ("2026-09-01", "2026-09-08"));
}

/// Generated charts: few and many, wide and narrow, tiny, huge, absent and malformed values.
fn samples() -> Vec<Chart> {
    let words = [
        "KAFKA",
        "接続コネクター",
        "lcc-9x2k",
        "",
        "é👩‍💻x",
        "a b",
        "لا",
    ];
    let texts = [
        "0",
        "0.03",
        "-0.001",
        "12345.67",
        "-987654321.5",
        "NaN",
        "inf",
        "1e308",
        "-1e308",
        "5e-324",
        "99999999999999.999999999999999999999999",
        "-7",
    ];
    let mut seed = 7u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
        (seed >> 33) as usize % below
    };
    let mut charts = Vec::new();
    for round in 0..48 {
        let count = [0, 1, 2, 5, 9, 30][random(6)];
        let mut name = || words[random(7)].repeat(1 + random(4) * random(4));
        let names: Vec<String> = (0..count).map(|_| name()).collect();
        let mut text = || texts[random(texts.len())];
        if round % 2 == 0 {
            let all: Vec<_> = names.iter().map(|name| (name.as_str(), text())).collect();
            charts.push(bars(&all));
            continue;
        }
        let mut row = |points| (0..points).map(|_| text()).collect::<Vec<_>>().join(" - ");
        let points = [0, 1, 2, 12, 60, 200][round % 6];
        let rows: Vec<String> = (0..count).map(|_| row(points / 2 + 1)).collect();
        let series = names.iter().zip(&rows);
        let series: Vec<_> = series.map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let x: Vec<String> = (0..points).map(|at| format!("2026-{at}")).collect();
        let x: Vec<&str> = x.iter().map(String::as_str).collect();
        charts.push(lines(&x, &series));
    }
    charts
}

#[test]
fn terminal_lines_fit_the_width_and_have_no_trailing_blanks() {
    for chart in samples() {
        for width in [20, 21, 27, 40, 80, 133, 300] {
            let text = terminal(&chart, width, false);
            for line in text.lines() {
                assert!(line.width() <= usize::from(width), "{width}: {line}");
                assert_eq!(line, line.trim_end());
            }
            terminal(&chart, width, true);
        }
    }
}

#[test]
fn svg_stays_within_the_page_and_is_deterministic() {
    for chart in samples() {
        let picture = svg(&chart).unwrap();
        assert_eq!(picture, svg(&chart).unwrap());
        for name in [
            "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height",
        ] {
            let start = format!(" {name}=\"");
            for part in picture.split(&start).skip(1) {
                let value = part.split('"').next().unwrap_or("");
                let value: f64 = value.parse().unwrap();
                assert!((0.0..=1200.0).contains(&value), "{name}={value}");
            }
        }
    }
}
