//! A plain table for terminals: columns as wide as their widest cell.

use snowball_protocol::ids::UnixSeconds;

/// Lines of `rows` under `head`, columns two spaces apart.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = line(&head.map(str::to_owned), &widths);
    for row in rows {
        text += &line(row, &widths);
    }
    text
}

/// How long ago `time` was, for people.
pub fn ago(now: UnixSeconds, time: UnixSeconds) -> String {
    match now.saturating_sub(time) {
        seconds @ ..120 => format!("{} s ago", seconds.max(0)),
        seconds @ 120..7_200 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

fn line<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell:<width$}"))
        .collect();
    format!("{}\n", padded.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_one_unit() {
        assert_eq!(ago(100, 41), "59 s ago");
        assert_eq!(ago(100, 200), "0 s ago");
        assert_eq!(ago(10_000, 0), "2 h ago");
        assert_eq!(ago(i64::MAX, 0), format!("{} days ago", i64::MAX / 86_400));
    }

    #[test]
    fn columns_line_up() {
        let text = table(
            ["site", "n"],
            &[
                ["é".to_owned(), "1".to_owned()],
                ["northern".to_owned(), "22".to_owned()],
            ],
        );
        assert_eq!(text, "site      n\né         1\nnorthern  22\n");
    }
}
