//! How a plan differs from another one.

use serde_json::Value;
use snowball_protocol::StudyPlan;
use snowball_web::{Column, Html, Message, Page, Table, messages};

messages! {
    FIELD = "field of the document", "champ du document";
    BEFORE = "before", "avant";
    AFTER = "now", "maintenant";
    ABSENT = "absent", "absent";
}

/// One field that differs, as both documents have it.
#[derive(PartialEq, Eq, Debug)]
pub struct Difference {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Every field in which two plans differ, in the order of their names.
pub fn differences(before: &StudyPlan, after: &StudyPlan) -> Vec<Difference> {
    let document = |plan: &StudyPlan| serde_json::to_value(plan).unwrap_or(Value::Null);
    let mut found = Vec::new();
    compare("", Some(&document(before)), Some(&document(after)), &mut found);
    found
}

fn compare(field: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    if let (Some(Value::Object(one)), Some(Value::Object(other))) = (before, after) {
        let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let below = if field.is_empty() {
                name.clone()
            } else {
                format!("{field}.{name}")
            };
            compare(&below, one.get(name), other.get(name), found);
        }
        return;
    }
    let written = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    found.push(Difference {
        field: field.to_owned(),
        before: before.map(written),
        after: after.map(written),
    });
}

/// The differences as a table.
pub fn table(page: &mut Page, caption: Html, differences: &[Difference]) {
    let language = page.language();
    let heading = |message: Message| Column::words(message.html(language));
    let mut table =
        Table::new([Column::names(FIELD.html(language)), heading(BEFORE), heading(AFTER)]).with_caption(caption);
    let value = |value: &Option<String>| match value {
        Some(text) => Html::code(text),
        None => ABSENT.html(language).soft(),
    };
    for one in differences {
        table.row([Html::code(&one.field), value(&one.before), value(&one.after)]);
    }
    page.table(&table);
}

#[cfg(test)]
mod tests {
    use snowball_web::Language;

    use super::*;

    fn plan() -> StudyPlan {
        toml::from_str(include_str!("../../../policies/cases/studies/body-parts.toml")).unwrap()
    }

    #[test]
    fn a_number_that_changes_is_named_with_both_values() {
        let (before, mut after) = (plan(), plan());
        assert_eq!(differences(&before, &after), []);
        after.rounds.count += 7;
        after.comparison.own_model = true;
        let found = differences(&before, &after);
        let fields: Vec<&str> = found.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["comparison", "rounds.count"]);
        assert_eq!(found[0].before, None);
        assert_eq!(found[1].after, Some(after.rounds.count.to_string()));
        let mut page = Page::new(Language::French, "page");
        table(&mut page, Html::text("caption"), &found);
        assert!(page.finish().contains("rounds.count"));
    }
}
