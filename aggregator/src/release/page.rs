//! The pages of a bundle: one for a model, one that lists models. All figures come from the signed lineage and the card that it names.

use std::collections::BTreeSet;

use snowball_protocol::plan::Origin;
use snowball_web::{Column, Html, Language, Page, Table};

use super::{
    Lineage,
    bundle::{KEY_FILE, PAGE_FILE, Published, SUMS_FILE, is_public},
};

const LANGUAGE: Language = Language::English;

/// The page of one model.
pub fn model(lineage: &Lineage, files: &[Published], card: &str) -> String {
    let mut page = Page::new(LANGUAGE, lineage.plan.title.as_str());
    page.lead(format!(
        "A network for radiographs by {}. No radiograph left its hospital.",
        lineage.consortium
    ));
    status(&mut page, lineage);
    page.tiles(tiles(lineage));

    page.section("Files");
    let mut table = Table::new([
        Column::words("file"),
        Column::words("what it is"),
        Column::numbers("bytes"),
        Column::words("SHA-256"),
    ]);
    for file in files {
        table.row([
            Html::link(file.name, file.name),
            file.what.into(),
            Html::number(file.bytes, LANGUAGE),
            Html::code(&file.digest.hex()),
        ]);
    }
    page.table(&table);

    page.section("Open it");
    page.say("In PyTorch, with the files of this folder in the present one:");
    page.verbatim(&format!(
        "import torch, model\n\
         network = model.load()\n\
         outputs = network(torch.zeros(1, 1, {side}, {side}))  # a dictionary with one tensor a head",
        side = lineage.plan.network.input_side
    ));
    page.say("In any ONNX runtime:");
    page.verbatim(
        "import onnxruntime\n\
         session = onnxruntime.InferenceSession(\"model.onnx\")\n\
         print([(each.name, each.shape) for each in session.get_inputs() + session.get_outputs()])",
    );

    page.section("Check it");
    page.say(
        "The first line says whether the files arrived whole, the second whether they are what the consortium signed: from the plan, \
         round by round, to the numbers.",
    );
    page.verbatim(&format!(
        "sha256sum --check {SUMS_FILE}\naggregator release verify . --key {KEY_FILE}"
    ));
    page.say(
        Html::text("The key is ")
            .and(Html::code(&lineage.aggregator_key.to_string()))
            .and(". Whoever could change the files could change it too: compare it with what the consortium says elsewhere."),
    );
    page.facts([
        ("Study".into(), Html::text(lineage.study.as_str())),
        ("Plan".into(), Html::code(&lineage.plan_digest.to_string())),
        ("Model".into(), Html::code(&lineage.model_digest.to_string())),
        ("Released".into(), Html::day(lineage.released)),
        (
            "Approved by".into(),
            Html::text(lineage.approved_by.as_deref().unwrap_or("not stated")),
        ),
        ("Began from".into(), began(lineage)),
    ]);

    page.section("Model card");
    page.markdown(card);
    page.finish()
}

/// The page that lists models, the newest first.
pub fn list(lineages: &[&Lineage]) -> String {
    let mut sorted = lineages.to_vec();
    sorted.sort_by(|one, other| (other.released, &one.study).cmp(&(one.released, &other.study)));
    let consortia: BTreeSet<&str> = sorted.iter().map(|lineage| lineage.consortium.as_str()).collect();
    let consortia: Vec<&str> = consortia.into_iter().collect();
    let mut page = Page::new(LANGUAGE, "Networks for radiographs");
    page.lead(format!(
        "By {}. Each was trained at several hospitals, and no radiograph left its hospital.",
        consortia.join(", ")
    ));
    let mut table = Table::new([
        Column::words("model"),
        Column::words("study"),
        Column::words("released"),
        Column::words("network"),
        Column::numbers("sites"),
        Column::numbers("rounds"),
        Column::numbers("parameters"),
        Column::words("began from"),
        Column::words("for whom"),
    ]);
    for lineage in &sorted {
        let study = lineage.study.as_str();
        table.row([
            Html::link(&format!("{study}/{PAGE_FILE}"), lineage.plan.title.as_str()),
            study.into(),
            Html::day(lineage.released),
            lineage.plan.network.architecture.code().into(),
            number(sites(lineage).len()),
            number(lineage.rounds.len()),
            Html::number(lineage.parameters, LANGUAGE),
            began(lineage),
            if is_public(lineage) {
                "everybody".into()
            } else {
                Html::text("the consortium's hospitals").bad()
            },
        ]);
    }
    page.table(&table);
    page.say("For research. Not medical devices; no decision about a patient may rest on them.");
    page.finish()
}

fn status(page: &mut Page, lineage: &Lineage) {
    if !is_public(lineage) {
        page.say(
            Html::text(
                "Not for the public: the boards of its hospitals approved an earlier stage, not publication. For the hospitals of the \
                 consortium only.",
            )
            .bad(),
        );
    }
    page.say("For research. Not a medical device; no decision about a patient may rest on it.");
}

fn tiles(lineage: &Lineage) -> Vec<(Html, Html)> {
    let mut tiles = vec![
        (number(sites(lineage).len()), "hospitals".into()),
        (number(lineage.rounds.len()), "rounds".into()),
        (Html::number(lineage.parameters, LANGUAGE), "parameters".into()),
    ];
    if let Some(evaluation) = &lineage.evaluation {
        tiles.push((
            Html::number(evaluation.images, LANGUAGE),
            "radiographs of other patients that it was judged on".into(),
        ));
    }
    tiles
}

fn sites(lineage: &Lineage) -> BTreeSet<&str> {
    let parts = lineage.rounds.iter().flat_map(|round| &round.contributions);
    parts.map(|part| part.site.as_str()).collect()
}

fn began(lineage: &Lineage) -> Html {
    let parents: Vec<Html> = lineage
        .plan
        .parents()
        .iter()
        .map(|parent| Html::text(&Origin::name(parent)))
        .collect();
    if parents.is_empty() {
        return "the plan's seed".into();
    }
    Html::below(parents)
}

fn number(count: usize) -> Html {
    Html::number(count as u64, LANGUAGE)
}
