//! A preview as it is printed, in the reader's language. Its texts are in that language already.

use std::path::Path;

use snowball_web::Language;

use crate::preview::{Field, Preview, Told, french};

pub fn text(preview: &Preview, out: &Path) -> String {
    let is_french = preview.language == Language::French;
    let say = |english: String, french: String| if is_french { french } else { english };
    let (plan, totals) = (&preview.plan, &preview.totals);
    let (title, study, purpose, digest) = (&plan.title, &plan.study, &plan.purpose, &plan.digest);
    let mut lines = vec![
        say(
            format!("{title} ({study}), purpose {purpose}"),
            format!("{title} ({study}), finalité {purpose}"),
        ),
        say(
            format!("plan to approve: {digest}"),
            format!("plan à approuver : {digest}"),
        ),
        if is_french {
            preview.standing.in_french()
        } else {
            preview.standing.in_words()
        },
    ];
    for parent in &plan.parents {
        let (file, digest) = (parent.file.as_deref().unwrap_or_default(), &parent.digest);
        lines.push(match &parent.release_of {
            Some(study) => say(
                format!("it begins from: the release of {study}, {digest}"),
                format!("elle part de : la version publiée de {study}, {digest}"),
            ),
            None => say(
                format!("it begins from: the file {file}, {digest}"),
                format!("elle part de : le fichier {file}, {digest}"),
            ),
        });
    }
    for answer in preview.standing.answers.iter().filter(|answer| !answer.permitted) {
        let (question, reason) = (answer.question, answer.reason.as_deref().unwrap_or_default());
        let remedy = answer.remedy.as_deref().unwrap_or_default();
        lines.push(say(
            format!("  may not {question}: {reason}; {remedy}"),
            format!("  ne peut pas {question} : {reason} ; {remedy}"),
        ));
    }
    for told in &preview.messages {
        lines.extend(message(preview, told, is_french));
    }
    let update = &preview.update;
    let (numbers, tensors, bytes) = (update.parameters, update.tensors.len(), update.bytes);
    let (encoding, smallest, largest) = (&update.encoding, update.spread.smallest, update.spread.largest);
    lines.push(say(
        format!(
            "\nthe update: {numbers} numbers in {tensors} tensors, {bytes} bytes ({encoding}); changes from {smallest:.2e} to {largest:.2e}"
        ),
        format!(
            "\nla mise à jour : {numbers} nombres en {tensors} tenseurs, {bytes} octets ({encoding}) ; changements de {smallest:.2e} à \
             {largest:.2e}"
        ),
    ));
    lines.extend(update.spread.heights().iter().map(|(middle, count, height)| {
        format!(
            "  {middle:>10.2e} {count:>10} {}",
            "#".repeat((height * 40.0).ceil() as usize)
        )
    }));
    let without = &preview.without_measurements;
    let (round, whole, rounds) = (totals.round_bytes, totals.study_bytes, plan.rounds);
    let (less_round, less_whole) = (without.round_bytes, without.study_bytes);
    lines.push(say(
        format!(
            "\n{round} bytes in each round, {whole} over the study of {rounds} rounds; without measurements {less_round} and {less_whole}"
        ),
        format!("\n{round} octets à chaque tour, {whole} sur les {rounds} tours de l'étude ; sans mesures {less_round} et {less_whole}"),
    ));
    let (markers, messages, found) = (
        preview.search.markers,
        preview.search.messages,
        preview.search.found.values().sum::<u64>(),
    );
    lines.push(say(
        format!("{markers} texts and codes of the made-up patients searched for in {messages} messages: {found} found"),
        format!("{markers} textes et codes des patients fictifs cherchés dans {messages} messages : {found} trouvés"),
    ));
    let out = out.display();
    lines.push(say(
        format!("\n{out}: open preview.html in a browser, or print it"),
        format!("\n{out} : ouvrez preview.html dans un navigateur, ou imprimez-le"),
    ));
    lines.join("\n")
}

fn message(preview: &Preview, told: &Told, is_french: bool) -> Vec<String> {
    let often = told.often.text();
    let (often, unit) = if is_french {
        (french(often).unwrap_or(often), "octets")
    } else {
        (often, "bytes")
    };
    let head = format!(
        "\n{} ({}), {} {unit}, {often}\n  {}",
        told.file, told.name, told.bytes, told.meaning
    );
    let fields = told.fields.iter().map(|field| {
        let (unexplained, stays) = if is_french {
            ("INEXPLIQUÉ.", stays_in_french(preview, told, field))
        } else {
            ("NOT EXPLAINED.", stays(preview, told, field))
        };
        format!(
            "    {} = {}\n      {}{stays} {} {unit}.",
            field.path,
            field.shown,
            field.meaning.unwrap_or(unexplained),
            field.bytes
        )
    });
    std::iter::once(head).chain(fields).collect()
}

fn stays(preview: &Preview, told: &Told, field: &Field) -> &'static str {
    match preview.is_measurement(told.kind, &field.path) {
        true if preview.is_detail(&field.path) => " (stays without measurements, or without detailed ones)",
        true => " (stays without measurements)",
        false => "",
    }
}

fn stays_in_french(preview: &Preview, told: &Told, field: &Field) -> &'static str {
    match preview.is_measurement(told.kind, &field.path) {
        true if preview.is_detail(&field.path) => " (reste sans les mesures, ou sans les détaillées)",
        true => " (reste sans les mesures)",
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview::sample;

    #[test]
    fn what_is_printed_is_in_the_language_of_the_page() {
        let [english, french] =
            Language::ALL.map(|language| text(&sample::preview().in_language(language), Path::new("out")));
        assert_eq!(english.lines().count(), french.lines().count());
        let same: Vec<_> = english
            .lines()
            .zip(french.lines())
            .filter(|(one, other)| one == other)
            .collect();
        // Values stand alone in their lines, as do the bars of the update.
        assert!(
            same.iter()
                .all(|(line, _)| line.is_empty() || line.contains(" = ") || line.contains('#')),
            "{same:?}"
        );
        assert!(
            french.contains("plan à approuver") && french.contains("ne peut pas participer à l'étude"),
            "{french}"
        );
        assert!(!french.contains("bytes") && !french.contains("may not"), "{french}");
    }
}
