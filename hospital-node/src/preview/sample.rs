//! A small preview for tests: one message with one field, under no policy.

use std::collections::BTreeMap;

use serde_json::json;
use snowball_egress::Kind;
use snowball_policy::{PolicyFault, Spent};
use snowball_protocol::{Sha256Digest, StudyPlan};
use snowball_web::Language;

use super::{
    document::{Asked, Mock, Plan, Preview, Told, Totals, Without},
    fields,
    search::Search,
    standing::Standing,
    update::{Spread, Tensor, Update},
    words::{self, HEADERS, Often, REQUESTS},
};

pub fn preview() -> Preview {
    let text = include_str!("../../../policies/cases/studies/body-parts.toml");
    let plan: StudyPlan = toml::from_str(text).unwrap();
    let body = json!({"clock": 5}).to_string();
    let (often, meaning) = words::message(Kind::Hello);
    let (path, asked_often, asked_meaning) = REQUESTS[0];
    Preview {
        program_version: "0.1.0".to_owned(),
        made_at: 0,
        language: Language::English,
        standing: Standing::ask(
            Err(&PolicyFault::Missing),
            &"north".parse().unwrap(),
            &plan,
            10,
            Spent::default(),
            true,
            0,
        ),
        plan: Plan::of(&plan),
        mock: Mock {
            seed: 7,
            files: 40,
            training: 30,
            validation: 5,
            steps: 2,
            device: "a processor".to_owned(),
            seconds: 1.0,
        },
        messages: vec![Told {
            kind: Kind::Hello,
            name: "hello",
            file: "01-hello.json".to_owned(),
            path: "v1/hello".to_owned(),
            meaning,
            often,
            bytes: body.len() as u64,
            digest: Sha256Digest::of(body.as_bytes()),
            fields: fields::told(Kind::Hello, body.as_bytes()).unwrap(),
            punctuation_bytes: 2,
        }],
        totals: Totals {
            round_bytes: 100,
            study_bytes: 300,
        },
        update: Update {
            parameters: 9,
            encoding: "float32".to_owned(),
            bytes: 36,
            feeds_back: false,
            layout_digest: String::new(),
            tensors: vec![Tensor {
                name: "stem".to_owned(),
                shape: "3 x 3".to_owned(),
                role: "weights",
                stays: false,
                values: 9,
                norm: 0.5,
            }],
            spread: Spread {
                smallest: -0.1,
                largest: 0.1,
                norm: 0.5,
                zeros: 0,
                reach: 0.1,
                bars: vec![9],
            },
        },
        without_measurements: Without {
            fields: Vec::new(),
            round_bytes: 90,
            study_bytes: 270,
        },
        requests: vec![Asked {
            path,
            often: asked_often,
            meaning: asked_meaning,
        }],
        headers: HEADERS,
        search: Search {
            markers: 500,
            messages: u64::from(often == Often::Start),
            bytes: 100,
            found: BTreeMap::new(),
        },
    }
}
