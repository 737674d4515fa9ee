//! Measurements of models: what came must be what was let out, to the last digit, and details need a permit of their own.

use serde_json::{Value, json};

use super::{Tampering, core, deep, without_line};
use crate::audit::evidence::{AGGREGATOR, History};

const EVALUATIONS: &str = "evaluations.jsonl";

pub fn of_measurements() -> Vec<Tampering> {
    vec![
        core(
            "a number that came with an update is changed",
            "metrics_contradict",
            |evidence| {
                evidence.collude(|history| {
                    let images = &mut measured(history)["header"]["evaluation"]["images"];
                    *images = json!(images.as_u64().unwrap() + 1);
                });
            },
        ),
        core(
            "a sum among the details that came with an update is changed",
            "metrics_contradict",
            |evidence| {
                evidence.collude(|history| {
                    let evaluation = &mut measured(history)["header"]["evaluation"];
                    let sum = detail(evaluation).unwrap().get_mut("brier_sum").unwrap();
                    *sum = json!(sum.as_f64().unwrap() / 2.0);
                });
            },
        ),
        core(
            "a site says that no details were among what left",
            "metrics_contradict",
            |evidence| {
                evidence.collude(|history| {
                    let site = measured(history)["site"].as_str().unwrap().to_owned();
                    history.first(&site, "metrics_approved", is_detailed)["entry"]["detailed"] = json!(false);
                });
            },
        ),
        deep(
            "a site forgets that its policy had permitted details",
            "without_permit",
            |evidence| {
                evidence.collude(|history| {
                    let site = measured(history)["site"].as_str().unwrap().to_owned();
                    let round = history.first(&site, "metrics_approved", is_detailed)["entry"]["round"].clone();
                    history.remove(&site, "decision_made", |entry| {
                        entry["action"] == "send detailed metrics" && entry["round"] == round
                    });
                });
            },
        ),
        core(
            "the aggregator changes what a site told of the final model",
            "metrics_contradict",
            |evidence| {
                evidence.edit(AGGREGATOR, EVALUATIONS, |text| {
                    text.replacen("\"images\":", "\"images\":1", 1)
                });
                evidence.seal(AGGREGATOR);
            },
        ),
        core(
            "what a site told of the final model is taken out",
            "evaluation_undocumented",
            |evidence| {
                evidence.edit(AGGREGATOR, EVALUATIONS, |text| without_line(&text, 0));
                evidence.seal(AGGREGATOR);
            },
        ),
    ]
}

fn is_detailed(entry: &Value) -> bool {
    entry["detailed"] == true && entry["round"].is_u64()
}

/// The first update that measurements with details came with.
fn measured(history: &mut History) -> &mut Value {
    let mut updates = history.updates.iter_mut();
    updates
        .find(|update| detail(&mut update["header"]["evaluation"].clone()).is_some())
        .expect("a site told of a class in detail")
}

/// The first class that is told in detail.
fn detail(evaluation: &mut Value) -> Option<&mut Value> {
    let heads = evaluation.get_mut("heads")?.as_array_mut()?.iter_mut();
    let mut classes = heads
        .filter_map(|head| head.get_mut("classes")?.as_array_mut())
        .flatten();
    classes.find_map(|class| class.get_mut("detail"))
}
