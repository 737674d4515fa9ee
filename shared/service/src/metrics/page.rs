//! The page: families of numbers in the text exposition format 0.0.4.

use std::fmt::Write as _;

/// What a family's numbers do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// They rise and fall.
    Gauge,
    /// They only rise.
    Counter,
}

/// Numbers of one kind under one name. Each program has a closed list of them.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name, which ends in the unit, and in `_total` for a counter.
    pub name: &'static str,
    /// What they do.
    pub kind: Kind,
    /// What they are, in one sentence.
    pub help: &'static str,
}

/// A family of numbers that rise and fall.
#[must_use]
pub const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        help,
    }
}

/// A family of numbers that only rise.
#[must_use]
pub const fn counter(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Counter,
        help,
    }
}

/// A page that is being written.
#[derive(Default)]
pub struct Page(String);

impl Page {
    /// Writes one family: each number with its labels. A family without numbers is left out.
    pub fn family<'a, const LABELS: usize, V: Into<i128>>(
        &mut self,
        family: &Family,
        numbers: impl IntoIterator<Item = ([(&'static str, &'a str); LABELS], V)>,
    ) {
        let mut numbers = numbers.into_iter().peekable();
        if numbers.peek().is_none() {
            return;
        }
        let kind = match family.kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        // Writing to a text never fails.
        let _ = writeln!(self.0, "# HELP {} {}", family.name, escaped(family.help, false));
        let _ = writeln!(self.0, "# TYPE {} {kind}", family.name);
        for (labels, value) in numbers {
            self.0 += family.name;
            for (place, (name, text)) in labels.iter().enumerate() {
                let before = if place == 0 { '{' } else { ',' };
                let _ = write!(self.0, "{before}{name}=\"{}\"", escaped(text, true));
            }
            let after = if LABELS == 0 { "" } else { "}" };
            let _ = writeln!(self.0, "{after} {}", value.into());
        }
    }

    /// Writes a family of one number.
    pub fn number(&mut self, family: &Family, value: impl Into<i128>) {
        self.family(family, [([], value)]);
    }

    /// The text.
    #[must_use]
    pub fn text(self) -> String {
        self.0
    }
}

fn escaped(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITES: Family = gauge("sites", "Sites, by standing.");
    const SENT: Family = counter("sent_total", "A \\ and\na line.");

    #[test]
    fn a_page_is_written_as_the_format_has_it() {
        let mut page = Page::default();
        let numbers = [
            ([("site", "no\"r\\th\n"), ("kind", "a")], 3_u64),
            ([("site", "b"), ("kind", "c")], 0),
        ];
        page.family(&SITES, numbers);
        page.number(&SENT, -4_i64);
        page.family::<0, u64>(&SITES, []);
        assert_eq!(
            page.text(),
            "# HELP sites Sites, by standing.\n# TYPE sites gauge\nsites{site=\"no\\\"r\\\\th\\n\",kind=\"a\"} 3\n\
             sites{site=\"b\",kind=\"c\"} 0\n# HELP sent_total A \\\\ and\\na line.\n# TYPE sent_total counter\nsent_total -4\n"
        );
    }
}
